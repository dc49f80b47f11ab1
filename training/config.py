"""All numbers of a training run, read from a YAML file in `training/configs`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import yaml
from pydantic import Field

from model.config import NetworkSettings, SegmentSettings, Settings


class CohortSettings(Settings):
    """The synthetic spoken cohort."""

    speakers: int = Field(default=240, ge=1)
    seconds: float = Field(default=75.0, gt=0, description="participant speech per interview, at least")
    shares: Mapping[str, float] = Field(
        default={"none": 0.62, "depressive": 0.18, "bipolar": 0.12, "psychotic": 0.08},
        description="of each outcome; exact up to rounding",
    )
    family_share: float = Field(default=0.4, ge=0, le=1, description="of a liability's variance")
    prosody_strength: float = Field(default=1.0, ge=0, description="scales the planted prosody")
    wording_strength: float = Field(default=0.22, ge=0, le=0.45, description="extra share of planted sentences")
    strength_spread: float = Field(default=0.4, ge=0, description="SD over speakers of either strength")
    stray_markers: float = Field(default=0.04, gt=0, lt=0.3, description="mean share in those without the outcome")
    formats: Mapping[Literal["flac", "mp3", "opus", "m4a"], float] = Field(
        default={"flac": 1.0}, description="shares of the formats that recordings are written in"
    )
    noise_decibels: tuple[float, float] = Field(
        default=(-42.0, -30.0), description="room noise below the speech, from and to"
    )


class MaskedSpeechSettings(Settings):
    """A small speech encoder that learns by predicting the clusters of masked frames."""

    hidden: int = 128
    layers: int = 4
    heads: int = 4
    feedforward: int = 256
    clusters: int = Field(default=64, description="k-means clusters of log-mel frames to predict")
    steps: int = 600
    batch: int = 8
    learning_rate: float = 1e-3
    mask_share: float = Field(default=0.08, description="of frames that start a masked span")
    mask_length: int = Field(default=10, description="frames of a masked span")


class SpeechEncoderSettings(MaskedSpeechSettings):
    """The stand-in for a HuBERT checkpoint."""

    convolution: int = 48
    crop_seconds: float = 2.5


class WhisperSettings(MaskedSpeechSettings):
    """The stand-in for a Whisper checkpoint; a step costs whole windows, so it takes fewer and smaller ones."""

    steps: int = 240
    batch: int = 2
    mel_bands: int = Field(default=80, description="80, or 128 as the newest large Whisper has")
    window_seconds: int = Field(default=30, ge=1, description="what every segment is filled up to with silence")
    shortest_seconds: float = Field(default=8.0, gt=0, description="of speech in a training window, at least")


class TextEncoderSettings(Settings):
    """The stand-in for a RoBERTa or T5 checkpoint."""

    vocabulary: int = 1500
    hidden: int = 128
    layers: int = 4
    heads: int = 4
    feedforward: int = 256
    steps: int = 500
    batch: int = 32
    tokens: int = Field(default=96, description="longest training sequence")
    learning_rate: float = 1e-3
    mask_share: float = 0.15


class StandinSettings(Settings):
    """Small encoders of the four architectures, trained on synthetic speech and text of their own seed."""

    seed: int = 7001
    speakers: int = Field(default=48, description="whose speech the speech encoders are trained on")
    seconds: float = Field(default=30.0, description="of speech from each")
    writers: int = Field(default=1500, description="speakers whose words the text encoders are trained on")
    threads: int = 2
    dither: float = Field(default=0.002, ge=0, description="noise under the speech, SD at full scale 1 (-54 dBFS)")
    speech: SpeechEncoderSettings = SpeechEncoderSettings()
    text: TextEncoderSettings = TextEncoderSettings()
    whisper: WhisperSettings = WhisperSettings()
    t5: TextEncoderSettings = TextEncoderSettings(steps=300, learning_rate=3e-3)


class SplitSettings(Settings):
    """Shares of families held out."""

    seed: int = 1
    validation: float = Field(default=0.2, gt=0, lt=1)
    test: float = Field(default=0.2, ge=0, lt=1)


class TrainerSettings(Settings):
    """Plain cross-entropy with AdamW, warm-up and a cosine."""

    seed: int = 1
    epochs: int = Field(default=60, ge=1)
    batch: int = Field(default=32, ge=1)
    learning_rate: float = 1e-3
    weight_decay: float = 0.05
    warmup: float = Field(default=0.1, ge=0, lt=1, description="share of the steps")
    clip_norm: float = 1.0
    patience: int = Field(default=12, ge=1, description="epochs without a better validation before it stops")
    stop_on: str = Field(default="log_loss", pattern="^(log_loss|macro_auroc)$")


class TrainingSettings(Settings):
    """One run from the cohort to the bundle."""

    seed: int = Field(default=1001, description="of the cohort")
    fresh_seed: int = Field(default=9001, description="of the speakers the finished bundle is measured on")
    fresh_speakers: int = 120
    cohort: CohortSettings = CohortSettings()
    standins: StandinSettings = StandinSettings()
    segments: SegmentSettings = SegmentSettings()
    network: NetworkSettings = NetworkSettings()
    splits: SplitSettings = SplitSettings()
    trainer: TrainerSettings = TrainerSettings()


def load_settings(path: Path) -> TrainingSettings:
    """The settings in a YAML file; what it leaves out takes its default, an unknown name is refused."""
    return TrainingSettings.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")) or {})
