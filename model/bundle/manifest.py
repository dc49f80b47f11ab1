"""The file names of a bundle, and the content of `manifest.json` and `calibration.json`."""

from __future__ import annotations

from datetime import date
from typing import Literal

from pydantic import Field

from model.config import AudioLimits, FrozenSettings, QualitySettings, SegmentSettings, StoredSegmentSettings

MANIFEST = "manifest.json"
SIGNATURE = "signature.json"
CALIBRATION = "calibration.json"
NETWORK = "network.onnx"
SPEECH = "speech"
TEXT = "text"
CARD = "card.json"
README = "README.md"
CARD_SOURCE = "card.yaml"
EVALUATION = "evaluation.json"
ABOUT = "about.json"


class Task(FrozenSettings):
    """A prediction task and its outcomes in logit order."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]{0,31}$")
    outcomes: tuple[str, ...] = Field(min_length=2)


class Manifest(FrozenSettings):
    """The manifest of a bundle. The sha256 of the manifest file is the digest of the bundle."""

    format: Literal[2] = 2
    name: str
    version: str
    released: date | None = None
    demonstration: bool = Field(description="trained on synthetic speech only")
    tasks: tuple[Task, ...] = Field(min_length=1)
    encoders: dict[Literal["speech", "text"], str] = Field(description="fingerprint of each encoder")
    audio: AudioLimits = AudioLimits()
    segments: StoredSegmentSettings = SegmentSettings()
    quality: QualitySettings = QualitySettings()
    files: dict[str, str] = Field(description="sha256 of every other file, by its path in the bundle")


class TaskCalibration(FrozenSettings):
    """The calibration of a task: risk = softmax((logits + adjustment * log prior) / temperature)."""

    temperature: float = Field(gt=0)
    prior: tuple[float, ...] = Field(description="outcome shares in training")
    adjustment: float = Field(default=0.0, description="tau of logit-adjusted training (Menon 2021); 0 is plain")


class Calibration(FrozenSettings):
    """Temperatures fitted on held-out documents, outcome shares, and mean features of the training documents."""

    tasks: dict[str, TaskCalibration]
    audio_mean: tuple[float, ...] = Field(description="the mean-imputed baseline of a contribution's stability")
    text_mean: tuple[float, ...]
