"""Settings of the method that are stored in a bundle: decoding, segmentation, quality gate, network size.

The results of a bundle are valid only for recordings that are prepared like its training recordings. These settings are
therefore part of its manifest and not of the environment of the service.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field


class FrozenSettings(BaseModel):
    """Base of immutable settings; unknown names are an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class AudioLimits(FrozenSettings):
    """Limit on the decoded length of a recording (a 6 kbit/s Opus file of 25 MB holds 8.7 h)."""

    seconds: float = Field(default=4 * 3600.0, gt=0, description="longest accepted recording, in seconds")


class SegmentSettings(FrozenSettings):
    """Segmentation of speech; all lengths in seconds."""

    shortest: float = Field(default=10.0, gt=0, description="minimum speech of a segment, except the last")
    longest: float = Field(default=30.0, gt=0, description="maximum audio of a segment")
    speech_threshold: float = Field(
        default=0.5, gt=0, lt=1, description="voice activity probability from which on a window is speech"
    )
    shortest_pause: float = Field(default=0.3, gt=0, description="shorter gaps do not end a range of speech")
    level: float | None = Field(
        default=-36.0,
        gt=-60,
        lt=-10,
        description="active speech level in dBFS that every voice is brought to; null leaves it as recorded",
    )
    participant_only: bool = Field(default=True, description="leave out the interviewer when speakers are labelled")
    interviewer_labels: tuple[str, ...] = Field(
        default=("interviewer", "ellie", "clinician", "therapist", "doctor", "examiner"),
        description="speaker labels of the interviewer, in lower case",
    )


def leave_level(settings: object) -> object:
    """Stored settings without a level are of a bundle whose voices kept the level of their recording."""
    if isinstance(settings, Mapping) and "level" not in settings:
        return {**settings, "level": None}
    return settings


StoredSegmentSettings = Annotated[SegmentSettings, BeforeValidator(leave_level)]
"""Segment settings of a bundle or a checkpoint, also of one that was made before levels."""


class QualitySettings(FrozenSettings):
    """Thresholds of the quality gate: below a hard one there is no score, below a soft one there is a warning."""

    least_speech: float = Field(default=10.0, description="seconds of speech below which there is no score")
    least_words: int = Field(default=10, description="words below which a transcript counts as missing")
    lowest_snr: float = Field(default=5.0, description="signal-to-noise ratio in dB below which there is a warning")
    lowest_level: float = Field(default=-45.0, description="active speech level in dBFS below which there is a warning")
    narrowest_band: float = Field(default=4500.0, description="bandwidth in Hz below which there is a warning")
    languages: tuple[str, ...] = Field(
        default=(),
        description="ISO 639 codes of the languages of training; another one is a warning, and empty checks none",
    )
    most_clipping: float = Field(default=0.01, description="share of clipped samples above which there is a warning")


class NetworkSettings(FrozenSettings):
    """Sizes of the HILBERT network (docs/method.md, Network)."""

    width: int = Field(default=128, description="d, the model width")
    heads: int = 4
    experts: int = Field(default=4, description="E, soft gated")
    dropout: float = Field(default=0.2, ge=0, lt=1)
    doc_source: Literal["own", "crossed"] = Field(
        default="own", description="stream that audio and text embeddings are pooled from; crossed is for the ablation"
    )
    modality_dropout: float = Field(
        default=0.15, ge=0, lt=0.5, description="share of documents that lose a modality, per modality, never both"
    )
