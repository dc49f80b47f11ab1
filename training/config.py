"""The settings of a training run, read from a YAML file in `training/configs`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import yaml
from pydantic import Field, model_validator

from model.config import FrozenSettings, NetworkSettings, SegmentSettings
from model.network.losses.settings import ObjectiveSettings
from training.evaluation.measures import MeasureSettings
from training.folds.nested import FoldSettings

CONFIGS = Path(__file__).parent / "configs"

ArmName = Literal["hilbert", "audio_only", "text_only", "early_concat", "late_fusion"]


class CohortSettings(FrozenSettings):
    """Settings of the synthetic spoken cohort."""

    speakers: int = Field(default=240, ge=1)
    seconds: float = Field(default=75.0, gt=0, description="minimum participant speech per interview")
    shares: Mapping[str, float] = Field(
        default={"none": 0.62, "depressive": 0.18, "bipolar": 0.12, "psychotic": 0.08},
        description="share of each outcome; exact up to rounding",
    )
    family_share: float = Field(
        default=0.4, ge=0, le=1, description="share of the variance of a liability that a family has in common"
    )
    prosody_strength: float = Field(default=1.0, ge=0, description="factor on the planted prosody")
    wording_strength: float = Field(default=0.22, ge=0, le=0.45, description="additional share of planted sentences")
    strength_spread: float = Field(default=0.4, ge=0, description="SD over speakers of either strength")
    stray_markers: float = Field(
        default=0.04, gt=0, lt=0.3, description="mean share of planted sentences in speakers without the outcome"
    )
    formats: Mapping[Literal["flac", "mp3", "opus", "m4a"], float] = Field(
        default={"flac": 1.0}, description="share of recordings in each format"
    )
    bit_rate: int = Field(default=64_000, gt=0, description="bit rate of lossy formats, bit/s")
    noise_decibels: tuple[float, float] = Field(
        default=(-42.0, -30.0), description="range of the room noise level relative to the speech, dB"
    )


class MaskedSpeechSettings(FrozenSettings):
    """A small speech encoder, trained by predicting the clusters of masked frames."""

    hidden: int = 128
    layers: int = 4
    heads: int = 4
    feedforward: int = 256
    clusters: int = Field(default=64, description="number of k-means clusters of log-mel frames")
    steps: int = 600
    batch: int = 8
    learning_rate: float = 1e-3
    mask_share: float = Field(default=0.08, description="share of frames that start a masked span")
    mask_length: int = Field(default=10, description="frames of a masked span")


class SpeechEncoderSettings(MaskedSpeechSettings):
    """The stand-in for a HuBERT checkpoint."""

    convolution: int = 48
    crop_seconds: float = 2.5


class WhisperSettings(MaskedSpeechSettings):
    """The stand-in for a Whisper checkpoint; a step processes whole windows, so steps and batches are smaller."""

    steps: int = 240
    batch: int = 2
    mel_bands: int = Field(default=80, description="number of mel bands: 80, or 128 as in Whisper large-v3")
    window_seconds: int = Field(default=30, ge=1, description="length to which every segment is padded with silence")
    shortest_seconds: float = Field(default=8.0, gt=0, description="minimum speech in a training window")


class TextEncoderSettings(FrozenSettings):
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


class StandinSettings(FrozenSettings):
    """Small encoders of the four architectures, trained on synthetic speech and text with a seed of their own."""

    seed: int = 7001
    speakers: int = Field(default=48, description="speakers in the training speech of the speech encoders")
    seconds: float = Field(default=30.0, description="speech per speaker, in seconds")
    writers: int = Field(default=1500, description="speakers in the training text of the text encoders")
    threads: int = 2
    dither: float = Field(default=0.002, ge=0, description="noise added to the speech, SD at full scale 1 (-54 dBFS)")
    speech: SpeechEncoderSettings = SpeechEncoderSettings()
    text: TextEncoderSettings = TextEncoderSettings()
    whisper: WhisperSettings = WhisperSettings()
    t5: TextEncoderSettings = TextEncoderSettings(steps=300, learning_rate=3e-3)


class TrainerSettings(FrozenSettings):
    """Training of a network: whole-fold batches, AdamW, warm-up and cosine schedule, early stopping."""

    seed: int = 1
    mode: Literal["joint", "staged"] = Field(
        default="joint",
        description="staged: first the embeddings, then the classifier on frozen embeddings",
    )
    steps: int = Field(default=120, ge=1, description="number of steps; a step reads every training document once")
    alignment_share: float = Field(default=0.5, gt=0, lt=1, description="staged: share of the steps for the embeddings")
    learning_rate: float = Field(default=2e-3, gt=0)
    weight_decay: float = Field(default=0.05, ge=0, description="of weight matrices, not of biases, norms and theta")
    warmup: float = Field(default=0.1, ge=0, lt=1, description="share of the steps")
    clip_norm: float = Field(default=1.0, gt=0, description="norm to which the gradient of a fold is clipped")
    look_every: int = Field(default=5, ge=1, description="steps between two evaluations of the validation documents")
    patience: int = Field(default=6, ge=1, description="evaluations without improvement before a fold stops")
    stop_on: Literal["log_loss", "macro_auroc"] = "log_loss"
    stack: int = Field(
        default=8, ge=1, description="number of folds trained as one stack; 1 trains them one after the other"
    )
    stack_megabytes: float = Field(default=1500.0, gt=0, description="maximum size of the features in a stack, in MB")
    save_seconds: float = Field(default=20.0, ge=0, description="seconds between two saved states")
    device: Literal["auto", "cpu", "cuda"] = "auto"
    threads: int = Field(default=1, ge=1, description="threads of each training process")
    workers: int = Field(default=2, ge=1, description="processes that train stacks in parallel; 1 on a GPU")


class CandidateSettings(FrozenSettings):
    """One candidate of the tuning on inner folds; missing values are those of the run."""

    name: str
    learning_rate: float | None = Field(default=None, gt=0)
    weight_decay: float | None = Field(default=None, ge=0)
    dropout: float | None = Field(default=None, ge=0, lt=1)
    modality_dropout: float | None = Field(default=None, ge=0, lt=0.5)


class RunSettings(FrozenSettings):
    """All settings of a training run and its evaluation, except the cohort and the encoders."""

    tasks: Mapping[str, tuple[str, ...]] = Field(
        default={"spectrum": ("none", "depressive", "bipolar", "psychotic")},
        min_length=1,
        description="outcomes of each task in logit order; the first task is evaluated",
    )
    segments: SegmentSettings = SegmentSettings()
    languages: tuple[str, ...] = Field(
        default=(),
        description="ISO 639 codes of the cohort's languages; the bundle flags a recording in another one",
    )
    network: NetworkSettings = NetworkSettings()
    objective: ObjectiveSettings = ObjectiveSettings()
    trainer: TrainerSettings = TrainerSettings()
    folds: FoldSettings = FoldSettings()
    candidates: tuple[CandidateSettings, ...] = Field(
        default=(
            CandidateSettings(name="dropout 0.2", dropout=0.2),
            CandidateSettings(name="dropout 0.3", dropout=0.3),
        ),
        min_length=1,
        description="tuning candidates, the same for every arm",
    )
    lineup: tuple[ArmName, ...] = Field(
        default=("audio_only", "text_only", "early_concat", "late_fusion"),
        description="baseline arms; late_fusion needs audio_only and text_only",
    )
    measures: MeasureSettings = MeasureSettings()

    @property
    def task(self) -> str:
        """The task that is evaluated and by which folds are stratified."""
        return next(iter(self.tasks))

    @model_validator(mode="after")
    def _candidate_names_are_unique(self) -> RunSettings:
        if len({candidate.name for candidate in self.candidates}) < len(self.candidates):
            raise ValueError("two candidates have the same name: give each its own")
        return self

    @model_validator(mode="after")
    def _late_fusion_has_both_arms(self) -> RunSettings:
        if "late_fusion" in self.lineup and not {"audio_only", "text_only"} <= set(self.lineup):
            raise ValueError("late_fusion fuses audio_only and text_only: add both to `lineup`, or remove late_fusion")
        return self


class TrainingSettings(FrozenSettings):
    """Settings of the demonstration: synthetic cohort, stand-in encoders, and run."""

    seed: int = Field(default=1001, description="seed of the cohort")
    fresh_seed: int = Field(default=9001, description="seed of the speakers that the released bundle is tested on")
    fresh_speakers: int = 120
    cohort: CohortSettings = CohortSettings()
    standins: StandinSettings = StandinSettings()
    run: RunSettings = RunSettings()


def load_settings(path: Path) -> TrainingSettings:
    """Read settings from a YAML file. Missing values get their default; unknown names are an error."""
    return TrainingSettings.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")) or {})


def load_run(path: Path) -> RunSettings:
    """Read the settings of a run from a YAML file. Missing values get their default; unknown names are an error."""
    return RunSettings.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")) or {})
