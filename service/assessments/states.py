"""Value objects of assessments: states, stages, priorities, failures, and what a client says of a recording."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import BaseModel, BeforeValidator, Field, StringConstraints, WithJsonSchema, model_validator


class State(StrEnum):
    """The state of an assessment; the last four are final and never change."""

    QUEUED = "queued"
    PREPARING = "preparing"
    ENCODING = "encoding"
    SCORING = "scoring"
    SUCCEEDED = "succeeded"
    ABSTAINED = "abstained"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def final(self) -> bool:
        """Whether the state never changes again."""
        return self in FINAL_STATES


PRINTABLE_PATTERN = r"^[^\x00-\x1f\x7f]+$"
"""Ids and references of clients hold no control characters."""
FINAL_STATES = (State.SUCCEEDED, State.ABSTAINED, State.FAILED, State.CANCELLED)


class StageKind(StrEnum):
    """The work of a stage; each kind has its own queue."""

    PREPARE = "prepare"
    ENCODE = "encode"
    SCORE = "score"


class StageState(StrEnum):
    """The state of a stage."""

    READY = "ready"
    LEASED = "leased"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Priority(StrEnum):
    """The priority of an assessment; stages of `routine` are published first."""

    ROUTINE = "routine"
    BATCH = "batch"


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why an assessment failed, as the client is told."""

    code: str
    detail: str
    advice: str
    retryable: bool


INTERNAL_FAILURE = Failure(
    code="internal_error",
    detail="The assessment could not be completed because of an error inside the service.",
    advice="Send the recording again; if it fails again, report it with the id of the assessment.",
    retryable=True,
)
WORKERS_LOST = Failure(
    code="workers_lost",
    detail="Every worker that started the assessment stopped before it was done.",
    advice="Check that the recording plays; if it does, send it again or report the id of the assessment.",
    retryable=True,
)
WORK_LOST = Failure(
    code="work_lost",
    detail="The material, or an object made from it, is no longer in the service's store.",
    advice="Send the recording again; if it happens again, report it: the workers may not share one store.",
    retryable=True,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessment:
    """One recording scored, or to be scored, by one bundle."""

    id: str
    state: State
    task: str
    reference: str | None
    bundle: str
    created_at: datetime
    updated_at: datetime
    finished_at: datetime | None
    segments_done: int
    segments_total: int | None
    result_key: str | None
    failure: Failure | None
    version: int
    batch_id: str | None
    custom_id: str | None
    priority: Priority = Priority.ROUTINE
    audio_seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchPosition:
    """The line of an assessment in the batch that submitted it."""

    batch_id: str
    line: int
    custom_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NewAssessment:
    """An assessment to insert, with its material in the object store; `audio_seconds` may be an estimate.

    `recording` holds the given fields of `RecordingFields`.
    """

    id: str
    task: str
    reference: str | None
    priority: Priority
    bundle: str
    request_id: str
    audio_key: str | None
    transcript_key: str | None
    audio_seconds: float | None = None
    batch_position: BatchPosition | None = None
    recording: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StageClaim:
    """The right to work on a stage until the lease expires or another claim raises the fence.

    The stage waited from `ready_at` to `claimed_at`. `traceparent` names the parent span; each line of a batch has a
    trace of its own.
    """

    stage_id: str
    assessment_id: str
    kind: StageKind
    index: int
    fence: int
    attempt: int
    input_key: str | None
    task: str
    request_id: str
    audio_key: str | None
    transcript_key: str | None
    priority: Priority
    ready_at: datetime
    claimed_at: datetime
    traceparent: str | None
    of_batch: bool
    recording: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredChunk:
    """A chunk of segments waiting in the object store to be encoded."""

    key: str
    segments: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreInputs:
    """Keys of the objects that the score stage reads: the summary, and the features in the order of the chunks."""

    summary_key: str
    feature_keys: tuple[str, ...]


EVERYONE = "everyone"
MAX_LABELS = 16
MAX_LABEL = 128
MAX_TRACK = 99
MAX_CHANNEL = 64

Label = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_LABEL, pattern=PRINTABLE_PATTERN)
]


def _as_list(value: object) -> object:
    return [value] if isinstance(value, str) else value


_LABEL_SCHEMA = {"type": "string", "minLength": 1, "maxLength": MAX_LABEL}
Labels = Annotated[
    tuple[Label, ...],
    Field(max_length=MAX_LABELS),
    BeforeValidator(_as_list),
    # Pydantic derives the schema from the tuple alone and does not know that a single string is accepted.
    WithJsonSchema({"anyOf": [_LABEL_SCHEMA, {"type": "array", "items": _LABEL_SCHEMA, "maxItems": MAX_LABELS}]}),
]


class RecordingFields(BaseModel):
    """Fields of a submission about its recording; without them the labels of the transcript decide."""

    participant: Labels = Field(
        default=(),
        description="speaker label of the participant, or several: only their words and voice are scored; `everyone` "
        "scores all speakers together",
        examples=["SPEAKER_01"],
    )
    interviewer: Labels = Field(
        default=(), description="speaker labels that are left out, one or several", examples=[["SPEAKER_00"]]
    )
    audio_track: int | None = Field(
        default=None,
        ge=1,
        le=MAX_TRACK,
        description="the audio track to use, counted from 1; null takes the file's default track",
        examples=[1],
    )
    participant_channel: int | None = Field(
        default=None,
        ge=1,
        le=MAX_CHANNEL,
        description="the channel of the participant, counted from 1, when each speaker has a channel; null mixes all",
        examples=[2],
    )

    @model_validator(mode="after")
    def _require_one_role(self) -> Self:
        participants = {label.casefold() for label in self.participant}
        if participants & {label.casefold() for label in self.interviewer}:
            raise ValueError("a label is the participant's or the interviewer's")
        if EVERYONE in participants and (len(participants) > 1 or self.interviewer):
            raise ValueError("everyone stands alone")
        return self

    def recording_options(self) -> dict[str, Any] | None:
        """The given fields as stored; None if none was given."""
        given = {name: getattr(self, name) for name in RecordingFields.model_fields}
        return {name: value for name, value in given.items() if value not in ((), None)} or None
