"""The result of an assessment: what `GET /v1/assessments/{id}` returns once the state is final.

The worker writes it as JSON into the object store, the API reads it back; both use these models.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

NOTICE = (
    "Research use only: a statistical estimate from speech and wording, not a diagnosis. "
    "It must not replace the judgement of a clinician."
)


class ResultModel(BaseModel):
    """Base of every part of a result: immutable, without unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class OutcomeProbability(ResultModel):
    """One outcome of the task with its calibrated probability."""

    outcome: str = Field(examples=["none"])
    probability: float = Field(ge=0, le=1, examples=[0.81])


class Contributions(ResultModel):
    """Exact Shapley shares of the modalities in the log-odds of the reported outcome.

    `audio + text = total - baseline`; positive numbers moved the score towards the outcome.
    """

    outcome: str
    unit: Literal["log-odds"] = "log-odds"
    audio: float
    text: float
    interaction: float = Field(description="v(both) - v(audio) - v(text) + v(none)")
    baseline: float = Field(description="v(none): the score with both modalities withheld")
    total: float = Field(description="v(both): the score as reported")
    probability_audio: float = Field(description="the audio share on the probability scale")
    probability_text: float = Field(description="the text share on the probability scale")
    share_audio: float | None = Field(description="|audio| / (|audio| + |text|); null when both are negligible")
    share_text: float | None
    stable: bool = Field(
        description="false when a contribution changes its sign under a mean-imputed baseline: do not rely on it"
    )


class SegmentEffect(ResultModel):
    """How far the log-odds of the reported outcome move when this segment is withheld."""

    index: int
    start: float = Field(description="seconds from the start of the recording")
    end: float
    text: str = Field(description="the words spoken in the segment; empty when there is no transcript")
    audio_effect: float = Field(description="v(all) - v(without this segment's audio)")
    text_effect: float = Field(description="v(all) - v(without this segment's text)")


class QualityFlag(ResultModel):
    """Something about the material that the reader should know; a hard flag means there is no score."""

    code: str = Field(examples=["text_times_estimated"])
    hard: bool
    message: str = Field(description="what it means and what to do about it")


class Quality(ResultModel):
    """What was found in the recording before any model saw it."""

    duration_seconds: float
    speech_seconds: float
    segments: int
    words: int
    snr_db: float | None
    clipping: float | None = Field(description="share of clipped samples, at any level")
    flags: tuple[QualityFlag, ...]
    level_dbfs: float | None = Field(
        default=None,
        description="active level of the scored speech (ITU-T P.56), of the file as sent",
        examples=[-27.3],
    )
    peak_dbfs: float | None = Field(default=None, description="largest sample")
    noise_dbfs: float | None = Field(default=None, description="power of the pauses, without DC")
    bandwidth_hz: float | None = Field(default=None, description="highest frequency that holds speech; at most 8000")
    source_rate_hz: int | None = Field(default=None, description="sample rate of the file as sent")


class AudioReport(ResultModel):
    """The audio as found in its file, and what of it was used; tracks and channels are numbered from 1."""

    sha256: str = Field(description="of the bytes as sent")
    seconds: float
    level_dbfs: float | None = Field(description="active level of the scored speech (ITU-T P.56)")
    container: str = Field(examples=["flac"])
    codec: str = Field(examples=["flac"])
    sample_rate: int = Field(description="in Hz", examples=[48000])
    channels: int
    channels_used: tuple[int, ...]
    bits: int | None = Field(description="of a sample; null for lossy codecs")
    bit_rate: int | None = Field(description="in bit/s; null where the file does not say")
    tracks: int
    track: int


class TranscriptReport(ResultModel):
    """The transcript as found in its file."""

    sha256: str = Field(description="of the bytes as sent")
    format: str = Field(description="docs/transcripts.md lists the formats", examples=["webvtt"])
    time_unit: str | None = Field(description="null without times", examples=["clock"])
    utterances: int
    words: int = Field(description="of all speakers")
    language: str | None = Field(
        description="ISO 639 code of the scored words; null when it is not sure", examples=["en"]
    )


class SpeakerReport(ResultModel):
    """One speaker of the transcript."""

    label: str | None = Field(description="as in the transcript; null for utterances without a label")
    seconds: float | None = Field(description="of the speaker's utterances; null without times")
    words: int
    scored: bool = Field(description="whether these words, and the voice at these times, were scored")


class InputReport(ResultModel):
    """What was heard: the files as found, and the speakers."""

    audio: AudioReport | None = Field(description="null when no audio was sent")
    transcript: TranscriptReport | None = Field(description="null when no transcript was sent")
    speakers: tuple[SpeakerReport, ...] = Field(description="in the order of their first words")


class GraphTrace(ResultModel):
    """One of the model's graphs, and where it was run."""

    provider: str = Field(description="ONNX Runtime's execution provider", examples=["CUDAExecutionProvider"])
    device: str = Field(description="name of the processor", examples=["cuda:0 NVIDIA H100 80GB HBM3"])
    precision: str = Field(examples=["float32"])
    digest: str = Field(description="an encoder's fingerprint, or the sha256 of the network's file")


class ModelTrace(ResultModel):
    """Which model gave the answer and how it was run."""

    bundle: str
    version: str
    digest: str = Field(description="sha256 over the bundle's manifest")
    signed_by: str | None = Field(
        default=None, description="id of the trusted key that signed the bundle; null when none did"
    )
    demonstration: bool = Field(description="true when the bundle was trained on synthetic speech only")
    encoders: dict[str, str] = Field(description="fingerprint of each encoder")
    provider: str = Field(
        description="the speech encoder's; `graphs` says it of each graph", examples=["CPUExecutionProvider"]
    )
    precision: str = Field(description="the speech encoder's; `graphs` says it of each graph", examples=["float32"])
    graphs: dict[str, GraphTrace] = Field(
        default={},
        description="how `speech`, `text` and `network` were run; empty in results of versions that did not say it",
    )
    runtime: dict[str, str] = Field(description="versions of the libraries that computed the answer")


class Result(ResultModel):
    """A scored assessment, or why there is no score (`outcome` is null, `quality.flags` say why)."""

    task: str = Field(examples=["spectrum"])
    outcome: str | None = Field(description="the outcome with the highest probability; null when abstained")
    probabilities: tuple[OutcomeProbability, ...] = Field(description="empty when abstained")
    contributions: Contributions | None
    segments: tuple[SegmentEffect, ...] = Field(description="those that moved the score most, strongest first")
    quality: Quality
    model: ModelTrace
    input: InputReport | None = Field(
        default=None, description="null when the material could not be read, and in results of earlier versions"
    )
    notice: str = NOTICE
