"""A checkpoint for release: network, calibration, and the preparation of the training recordings.

`model.network.checkpoint` reads and writes the weights and the description of the network; this module adds the rest.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pydantic import JsonValue, TypeAdapter, ValidationError
from safetensors import SafetensorError

from model.bundle.manifest import ABOUT, CALIBRATION, Calibration
from model.config import AudioLimits, FrozenSettings, QualitySettings, SegmentSettings, StoredSegmentSettings
from model.network.checkpoint import DESCRIPTION, WEIGHTS, NetworkDescription, load, save
from model.network.hilbert import Hilbert
from training.errors import CheckpointError

PREPARATION = "preparation.json"

_ABOUT = TypeAdapter(dict[str, JsonValue])


class PreparationSettings(FrozenSettings):
    """How the training recordings were decoded and segmented; a bundle must prepare recordings the same way."""

    audio: AudioLimits = AudioLimits()
    segments: StoredSegmentSettings = SegmentSettings()
    quality: QualitySettings = QualitySettings()


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseCheckpoint:
    """A trained network, ready for release; `about` records digests of data and settings, and seeds."""

    network: Hilbert
    description: NetworkDescription
    calibration: Calibration
    preparation: PreparationSettings
    about: dict[str, JsonValue] | None = None


def save_checkpoint(folder: Path, checkpoint: ReleaseCheckpoint) -> None:
    """Write network.safetensors, network.json, calibration.json, preparation.json and, if given, about.json."""
    save(folder, checkpoint.network, checkpoint.description)
    _write(folder / CALIBRATION, checkpoint.calibration.model_dump_json(indent=2))
    _write(folder / PREPARATION, checkpoint.preparation.model_dump_json(indent=2))
    if checkpoint.about is not None:
        _write(folder / ABOUT, _ABOUT.dump_json(checkpoint.about, indent=2).decode())


def load_checkpoint(folder: Path) -> ReleaseCheckpoint:
    """Read a checkpoint; without preparation.json the default settings apply, and voices keep their level.

    Raises CheckpointError when a part is missing, malformed, or does not fit the others.
    """
    for name in (DESCRIPTION, WEIGHTS, CALIBRATION):
        if not (folder / name).is_file():
            raise CheckpointError(f"the checkpoint has no {name}")
    try:
        network, description = load(folder)
        calibration = Calibration.model_validate_json((folder / CALIBRATION).read_bytes())
        preparation, about = _optional(folder / PREPARATION), _optional(folder / ABOUT)
        checkpoint = ReleaseCheckpoint(
            network=network,
            description=description,
            calibration=calibration,
            # A checkpoint without the file was made before voices were brought to one level (decision 0049).
            preparation=PreparationSettings(segments=SegmentSettings(level=None))
            if preparation is None
            else PreparationSettings.model_validate_json(preparation),
            about=None if about is None else _ABOUT.validate_json(about),
        )
    except ValidationError as error:
        raise CheckpointError(f"a file of the checkpoint is malformed: {error.title}") from error
    # `load_state_dict` raises RuntimeError when the weights do not fit the sizes.
    except (SafetensorError, RuntimeError) as error:
        raise CheckpointError(f"{WEIGHTS} is malformed, or of another network than {DESCRIPTION}") from error
    _refuse_misfits(checkpoint)
    return checkpoint


def _refuse_misfits(checkpoint: ReleaseCheckpoint) -> None:
    description, calibration = checkpoint.description, checkpoint.calibration
    if description.outcomes.keys() != calibration.tasks.keys():
        raise CheckpointError("the calibration and the network have different tasks")
    if any(len(calibration.tasks[task].prior) != len(outcomes) for task, outcomes in description.outcomes.items()):
        raise CheckpointError("the calibration and the network have different outcomes")
    widths = (len(calibration.audio_mean), len(calibration.text_mean))
    if widths != (description.audio_dim, description.text_dim):
        raise CheckpointError("the mean features of the calibration and the network have different dimensions")


def _optional(file: Path) -> bytes | None:
    return file.read_bytes() if file.exists() else None


def _write(file: Path, text: str) -> None:
    file.write_text(text + "\n", encoding="utf-8")
