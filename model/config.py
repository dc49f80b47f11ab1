"""Settings of the method that travel with a bundle: how recordings are read and cut, how large the network is.

A bundle's numbers hold only for recordings prepared the way its training recordings were, so these
settings live in its manifest and not in the operator's environment.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class FrozenSettings(BaseModel):
    """Base of all method settings: immutable, unknown names refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class AudioLimits(FrozenSettings):
    """How much a recording may decode to (a 6 kbit/s Opus file of 25 MB holds 8.7 h)."""

    seconds: float = Field(default=4 * 3600.0, gt=0, description="longest accepted recording, in seconds")


class SegmentSettings(FrozenSettings):
    """How speech is cut into segments; seconds throughout."""

    shortest: float = Field(default=10.0, gt=0, description="aim: no segment has less speech, but the last")
    longest: float = Field(default=30.0, gt=0, description="hard bound on a segment's audio")
    speech_threshold: float = Field(default=0.5, gt=0, lt=1, description="voice activity probability of speech")
    shortest_pause: float = Field(default=0.3, gt=0, description="a gap shorter than this does not end an island")
    participant_only: bool = Field(default=True, description="leave the interviewer out when speakers are labelled")
    interviewer_labels: tuple[str, ...] = Field(
        default=("interviewer", "ellie", "clinician", "therapist", "doctor", "examiner"),
        description="speaker labels, lower case, that are not the participant",
    )


class QualitySettings(FrozenSettings):
    """When a recording is too poor to score (hard) or worth a warning (soft)."""

    least_speech: float = Field(default=10.0, description="seconds of speech below which we abstain")
    least_words: int = Field(default=10, description="words below which a transcript counts as missing")
    lowest_snr: float = Field(default=5.0, description="dB of speech over pauses below which we warn")
    most_clipping: float = Field(default=0.01, description="share of samples at full scale above which we warn")


class NetworkSettings(FrozenSettings):
    """Sizes of the HILBERT network (METHOD: d = 128 below 300 documents)."""

    width: int = Field(default=128, description="d, the model width")
    heads: int = 4
    experts: int = Field(default=4, description="E, soft gated")
    dropout: float = Field(default=0.2, ge=0, lt=1)
    doc_source: Literal["own", "crossed"] = Field(
        default="own", description="what audio and text documents are pooled from; crossed is for the ablation"
    )
    modality_dropout: float = Field(default=0.15, ge=0, lt=0.5, description="per modality, never both")
