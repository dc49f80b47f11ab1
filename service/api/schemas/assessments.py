"""Requests and responses about assessments and models; OpenAPI is generated from them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from service.admission.queue_position import QueuePosition
from service.assessments.result import Result
from service.assessments.states import (
    PRINTABLE_PATTERN,
    Assessment,
    Failure,
    Priority,
    RecordingFields,
    StageKind,
    State,
)
from service.assessments.submission import DEFAULT_TASK
from service.worker_registry import RegisteredModel

UNKNOWN_POSITION = QueuePosition()
EXAMPLE_ID = "3b0e7a52-6a2f-4d0c-9a46-1d1a3a5f6c58"
STAGE_OF_STATE = {
    State.QUEUED: "queued",
    State.PREPARING: StageKind.PREPARE.value,
    State.ENCODING: StageKind.ENCODE.value,
    State.SCORING: StageKind.SCORE.value,
}


class Message(BaseModel):
    """Base of every request and response: immutable, without unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Metadata(RecordingFields, Message):
    """The part `metadata` of a submission."""

    task: Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=PRINTABLE_PATTERN)] = Field(
        default=DEFAULT_TASK,
        description="the task to predict; GET /v1/models lists the tasks",
        examples=["spectrum"],
    )
    reference: Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=PRINTABLE_PATTERN)] | None = Field(
        default=None,
        description="your own opaque id, returned unchanged; never a name or a patient number",
        examples=["visit-0042"],
    )
    priority: Priority = Field(default=Priority.ROUTINE, description="`batch` waits behind `routine`")


class UploadReference(Message):
    """A complete upload."""

    upload: str = Field(min_length=1, max_length=64, description="its id", examples=[EXAMPLE_ID])


class TranscriptReference(Message):
    """A transcript: a complete upload, or the text itself."""

    upload: str | None = Field(default=None, min_length=1, max_length=64, description="id of an upload")
    text: str | None = Field(default=None, description="plain text, WebVTT, SRT or JSON utterances")

    @model_validator(mode="after")
    def _require_either(self) -> Self:
        if (self.upload is None) == (self.text is None):
            raise ValueError("either an upload or a text")
        return self


class Submission(Metadata):
    """A submission as JSON, which refers to uploads instead of carrying files."""

    audio: UploadReference | None = None
    transcript: TranscriptReference | None = None


class Progress(Message):
    """The progress of an assessment."""

    stage: Literal["queued", "prepare", "encode", "score"] | None = Field(description="null once final")
    segments_done: int = Field(examples=[16])
    segments_total: int | None = Field(description="null until the recording has been cut", examples=[42])
    position: int | None = Field(
        description="assessments ahead of it in its lane; 0 once a worker has started it, null once final",
        examples=[3],
    )
    eta_seconds: float | None = Field(
        description="expected seconds until it is final; null once final, and while it cannot be estimated",
        examples=[71.5],
    )


class FailureView(Message):
    """Why an assessment failed."""

    code: str = Field(examples=["internal_error"])
    detail: str
    advice: str
    retryable: bool

    @classmethod
    def of(cls, failure: Failure) -> Self:
        """The view of a failure."""
        return cls(code=failure.code, detail=failure.detail, advice=failure.advice, retryable=failure.retryable)


class Links(Message):
    """Related addresses."""

    self: str = Field(examples=[f"/v1/assessments/{EXAMPLE_ID}"])


class AssessmentSummary(Message):
    """An assessment without its result."""

    id: str = Field(examples=[EXAMPLE_ID])
    state: State
    task: str = Field(examples=["spectrum"])
    reference: str | None = Field(examples=["visit-0042"])
    bundle: str = Field(description="the bundle that scores it", examples=["demo"])
    created_at: datetime
    updated_at: datetime
    finished_at: datetime | None
    progress: Progress
    error: FailureView | None = Field(description="set when the state is `failed`")
    links: Links


class AssessmentView(AssessmentSummary):
    """One recording scored, or to be scored."""

    result: Result | None = Field(description="set when the state is `succeeded` or `abstained`")


class AssessmentPage(Message):
    """Assessments, newest first."""

    items: tuple[AssessmentSummary, ...]
    next_cursor: str | None = Field(description="pass it as `cursor` for the next page; null on the last one")


class TaskView(Message):
    """A task and its outcomes."""

    name: str = Field(examples=["spectrum"])
    outcomes: tuple[str, ...]


class ModelView(Message):
    """A model that workers have loaded."""

    bundle: str = Field(examples=["demo"])
    version: str
    digest: str
    demonstration: bool = Field(description="true when it was trained on synthetic speech only")
    tasks: tuple[TaskView, ...]
    encoders: dict[str, str]
    loaded_at: datetime


class ModelList(Message):
    """The models in use, newest first."""

    items: tuple[ModelView, ...]


class Health(Message):
    """The check passed."""

    status: Literal["ok"] = "ok"


class ProblemField(Message):
    """One invalid field."""

    location: str = Field(examples=["metadata.task"])
    reason: str = Field(examples=["is not a known task"])


class Problem(Message):
    """An error, by RFC 9457."""

    type: str = Field(description="identifies the kind of problem", examples=["urn:hilbert:problem:unknown_task"])
    title: str = Field(examples=["Unknown task"])
    status: int = Field(examples=[422])
    detail: str = Field(examples=["No model predicts this task; known tasks: spectrum."])
    code: str = Field(examples=["unknown_task"])
    advice: str = Field(examples=["Ask for one of the tasks that GET /v1/models lists."])
    request_id: str
    retryable: bool = Field(description="whether the same request may succeed later")
    errors: tuple[ProblemField, ...] | None = None


def _assessment_fields(assessment: Assessment, queue_position: QueuePosition) -> dict[str, object]:
    """The fields that summary and view share."""
    return {
        "id": assessment.id,
        "state": assessment.state,
        "task": assessment.task,
        "reference": assessment.reference,
        "bundle": assessment.bundle,
        "created_at": assessment.created_at,
        "updated_at": assessment.updated_at,
        "finished_at": assessment.finished_at,
        "progress": Progress.model_validate(
            {
                "stage": STAGE_OF_STATE.get(assessment.state),
                "segments_done": assessment.segments_done,
                "segments_total": assessment.segments_total,
                "position": queue_position.position,
                "eta_seconds": queue_position.eta_seconds,
            }
        ),
        "error": None if assessment.failure is None else FailureView.of(assessment.failure),
        "links": Links(self=assessment_path(assessment.id)),
    }


def assessment_summary(assessment: Assessment, queue_position: QueuePosition = UNKNOWN_POSITION) -> AssessmentSummary:
    """The assessment without its result, for lists and events."""
    return AssessmentSummary.model_validate(_assessment_fields(assessment, queue_position))


def assessment_view(
    assessment: Assessment, result: Result | None, queue_position: QueuePosition = UNKNOWN_POSITION
) -> AssessmentView:
    """The assessment with its result, if it has one."""
    return AssessmentView.model_validate({**_assessment_fields(assessment, queue_position), "result": result})


def model_view(registered: RegisteredModel) -> ModelView:
    """The model in the API's representation."""
    model = registered.model
    return ModelView(
        bundle=model.bundle,
        version=model.version,
        digest=model.digest,
        demonstration=model.demonstration,
        tasks=tuple(TaskView(name=task.name, outcomes=task.outcomes) for task in model.tasks),
        encoders=model.encoders,
        loaded_at=registered.loaded_at,
    )


def assessment_path(assessment_id: str) -> str:
    """The path of an assessment."""
    return f"/v1/assessments/{assessment_id}"
