"""All numbers of a training run, read from a YAML file in `training/configs`."""

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
    bit_rate: int = Field(default=64_000, gt=0, description="of lossy formats, bit/s")
    noise_decibels: tuple[float, float] = Field(
        default=(-42.0, -30.0), description="room noise below the speech, from and to"
    )


class MaskedSpeechSettings(FrozenSettings):
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


class TrainerSettings(FrozenSettings):
    """How a network is trained: whole-fold batches, AdamW, warm-up and cosine, early stopping on inner folds."""

    seed: int = 1
    mode: Literal["joint", "staged"] = Field(
        default="joint",
        description="staged: the embeddings first, then the classifier on top of them, kept as they are",
    )
    steps: int = Field(default=120, ge=1, description="each sees every training document once")
    alignment_share: float = Field(default=0.5, gt=0, lt=1, description="staged: of the steps spent on the embeddings")
    learning_rate: float = Field(default=2e-3, gt=0)
    weight_decay: float = Field(default=0.05, ge=0, description="of weight matrices; biases, norms and theta have none")
    warmup: float = Field(default=0.1, ge=0, lt=1, description="share of the steps")
    clip_norm: float = Field(default=1.0, gt=0, description="of each fold's whole gradient")
    look_every: int = Field(default=5, ge=1, description="steps between looks at the validation documents")
    patience: int = Field(default=6, ge=1, description="looks without a better validation before a fold is done")
    stop_on: Literal["log_loss", "macro_auroc"] = "log_loss"
    stack: int = Field(default=8, ge=1, description="folds trained as one; 1 is the sequential loop")
    stack_megabytes: float = Field(default=1500.0, gt=0, description="of features in one stack; fewer folds above it")
    save_seconds: float = Field(default=20.0, ge=0, description="between saved states of a run")
    device: Literal["auto", "cpu", "cuda"] = "auto"
    threads: int = Field(default=1, ge=1, description="of each process that trains")
    workers: int = Field(default=2, ge=1, description="processes that train stacks side by side; 1 on a GPU")


class CandidateSettings(FrozenSettings):
    """One setting of what is tuned on inner folds; what it leaves out is the run's."""

    name: str
    learning_rate: float | None = Field(default=None, gt=0)
    weight_decay: float | None = Field(default=None, ge=0)
    dropout: float | None = Field(default=None, ge=0, lt=1)
    modality_dropout: float | None = Field(default=None, ge=0, lt=0.5)


class RunSettings(FrozenSettings):
    """Everything that decides a training run and its evaluation, beside the cohort and its encoders."""

    tasks: Mapping[str, tuple[str, ...]] = Field(
        default={"spectrum": ("none", "depressive", "bipolar", "psychotic")},
        min_length=1,
        description="outcomes of each task in logit order; the first task is the one evaluated",
    )
    segments: SegmentSettings = SegmentSettings()
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
        description="what is tuned on inner folds, alike for every arm",
    )
    lineup: tuple[ArmName, ...] = Field(
        default=("audio_only", "text_only", "early_concat", "late_fusion"),
        description="arms that HILBERT is held against; late_fusion needs audio_only and text_only",
    )
    measures: MeasureSettings = MeasureSettings()

    @property
    def task(self) -> str:
        """The task that is evaluated and that folds are stratified by."""
        return next(iter(self.tasks))

    @model_validator(mode="after")
    def _candidates_are_told_apart(self) -> RunSettings:
        if len({candidate.name for candidate in self.candidates}) < len(self.candidates):
            raise ValueError("two candidates have one name: give each a name of its own")
        return self

    @model_validator(mode="after")
    def _late_fusion_has_its_halves(self) -> RunSettings:
        if "late_fusion" in self.lineup and not {"audio_only", "text_only"} <= set(self.lineup):
            raise ValueError("late_fusion fuses audio_only and text_only: put both into the line-up, or leave it out")
        return self


class TrainingSettings(FrozenSettings):
    """A run on the synthetic spoken cohort, from the stand-in encoders to the bundle."""

    seed: int = Field(default=1001, description="of the cohort")
    fresh_seed: int = Field(default=9001, description="of the speakers the finished bundle is measured on")
    fresh_speakers: int = 120
    cohort: CohortSettings = CohortSettings()
    standins: StandinSettings = StandinSettings()
    run: RunSettings = RunSettings()


def load_settings(path: Path) -> TrainingSettings:
    """The settings in a YAML file; what it leaves out takes its default, an unknown name is refused."""
    return TrainingSettings.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")) or {})


def load_run(path: Path) -> RunSettings:
    """The run's settings in a YAML file; what it leaves out takes its default, an unknown name is refused."""
    return RunSettings.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")) or {})
