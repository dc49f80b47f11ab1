"""A HILBERT checkpoint on disk: weights as safetensors, dimensions and settings as JSON."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field
from safetensors.torch import load_file, save_file

from model.config import FrozenSettings, NetworkSettings
from model.network.hilbert import Hilbert

WEIGHTS = "network.safetensors"
DESCRIPTION = "network.json"


class NetworkDescription(FrozenSettings):
    """The dimensions and settings from which the network is built."""

    audio_dim: int = Field(gt=0, description="width of the speech encoder's features")
    text_dim: int = Field(gt=0, description="width of the language encoder's features")
    outcomes: dict[str, tuple[str, ...]] = Field(description="the outcomes of each task, in logit order")
    network: NetworkSettings = NetworkSettings()


def build(description: NetworkDescription) -> Hilbert:
    """Build an untrained network from its description."""
    network = description.network
    return Hilbert(
        audio_dim=description.audio_dim,
        text_dim=description.text_dim,
        outcomes={task: len(outcomes) for task, outcomes in description.outcomes.items()},
        width=network.width,
        heads=network.heads,
        experts=network.experts,
        dropout=network.dropout,
        doc_source=network.doc_source,
    )


def save(folder: Path, network: Hilbert, description: NetworkDescription) -> None:
    """Write the checkpoint into `folder`; creates the folder if it does not exist."""
    folder.mkdir(parents=True, exist_ok=True)
    # safetensors refuses tensors that are not contiguous.
    save_file({name: tensor.contiguous() for name, tensor in network.state_dict().items()}, folder / WEIGHTS)
    (folder / DESCRIPTION).write_text(description.model_dump_json(indent=2) + "\n", encoding="utf-8")


def load(folder: Path) -> tuple[Hilbert, NetworkDescription]:
    """Read a checkpoint; returns the network in evaluation mode."""
    description = NetworkDescription.model_validate_json((folder / DESCRIPTION).read_text(encoding="utf-8"))
    network = build(description)
    network.load_state_dict(load_file(folder / WEIGHTS))
    return network.eval(), description
