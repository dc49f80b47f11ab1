"""The description of an exported encoder (`encoder.json`), and its fingerprint."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Literal

from pydantic import Field

from model.config import FrozenSettings

GRAPH = "encoder.onnx"
WEIGHTS = "encoder.onnx.data"  # only for weights that do not fit into one file
DESCRIPTION = "encoder.json"
TOKENIZER = "tokenizer.json"
PARITY = "parity.json"  # the parity report; it has no influence on features

Precision = Literal["float32", "float16", "int8"]


class EncoderDescription(FrozenSettings):
    """The description of an exported encoder: everything that its graph needs without transformers."""

    modality: Literal["speech", "text"]
    architecture: str = Field(description="the checkpoint's model type", examples=["hubert", "whisper"])
    source: str = Field(description="hub name, or the name of the local folder it came from")
    dim: int = Field(gt=0, description="width of the features")
    layers: tuple[int, ...] = Field(description="the layers averaged, counted from 1")
    precision: Precision = Field(default="float32", description="of the weights and of the transformer")
    revision: str | None = Field(default=None, description="the commit on the hub that was exported")
    parity: float = Field(ge=0, description="largest difference from torch at export")
    sample_rate: int | None = Field(default=None, description="speech: Hz the waveform must have")
    dither: float = Field(
        default=0.0, ge=0, description="speech: SD, at full scale 1, of the fixed noise added to every waveform"
    )
    shortest: int | None = Field(default=None, description="speech: fewest samples that give a frame")
    window: int | None = Field(
        default=None, gt=0, description="speech: fixed window in samples; every segment costs at least one window"
    )
    longest: int | None = Field(default=None, description="text: maximum tokens of a window, special tokens included")
    pad_id: int | None = Field(default=None, description="text: the padding token")
    capturable: bool = Field(
        default=False, description="the graph has no control flow, and all its operators run on a GPU"
    )


def fingerprint(folder: Path) -> str:
    """Hexadecimal sha256 of everything that determines the features: graph, weights, description, tokenizer."""
    digest = hashlib.sha256()
    for name in (GRAPH, WEIGHTS, DESCRIPTION, TOKENIZER):
        file = folder / name
        if file.exists():
            with file.open("rb") as content:
                # The name too, so that the bytes of one file do not count as those of another.
                digest.update(name.encode() + hashlib.file_digest(content, "sha256").digest())
    return digest.hexdigest()


def read_description(folder: Path) -> EncoderDescription:
    """Read the description from the folder of an encoder."""
    return EncoderDescription.model_validate_json((folder / DESCRIPTION).read_text(encoding="utf-8"))


def write_description(folder: Path, description: EncoderDescription) -> None:
    """Write the description into the folder of an encoder."""
    (folder / DESCRIPTION).write_text(description.model_dump_json(indent=2) + "\n", encoding="utf-8")
