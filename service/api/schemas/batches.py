"""Responses about batches; OpenAPI is generated from them."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from service.api.schemas.assessments import EXAMPLE_ID, FailureView, Message
from service.assessments.result import Result
from service.assessments.states import State
from service.batches.states import Batch, LineCounts


class BatchCounts(Message):
    """The number of lines in each state."""

    queued: int = Field(examples=[310])
    running: int = Field(examples=[2])
    succeeded: int = Field(examples=[685])
    abstained: int = Field(examples=[2])
    failed: int = Field(examples=[1])
    cancelled: int = Field(examples=[0])
    total: int = Field(description="all lines, including those whose assessment was erased since", examples=[1000])


class BatchLinks(Message):
    """Related addresses."""

    self: str = Field(examples=[f"/v1/batches/{EXAMPLE_ID}"])
    output: str = Field(description="lines with a result so far", examples=[f"/v1/batches/{EXAMPLE_ID}/output"])
    errors: str = Field(description="failed and cancelled lines", examples=[f"/v1/batches/{EXAMPLE_ID}/errors"])


class BatchView(Message):
    """Many assessments submitted together."""

    id: str = Field(examples=[EXAMPLE_ID])
    state: Literal["running", "cancelling", "finished", "cancelled"]
    counts: BatchCounts
    created_at: datetime
    finished_at: datetime | None
    eta_seconds: float | None = Field(
        description="seconds until its last line ends, at the rate of its latest lines; null until a few have ended",
        examples=[412.0],
    )
    links: BatchLinks


class BatchPageView(Message):
    """Batches, newest first."""

    items: tuple[BatchView, ...]
    next_cursor: str | None = Field(description="pass it as `cursor` for the next page; null on the last one")


class OutputLine(Message):
    """A line of a batch's output."""

    custom_id: str
    line: int
    assessment: str
    state: Literal[State.SUCCEEDED, State.ABSTAINED]
    result: Result


class ErrorLine(Message):
    """A line of a batch's errors."""

    custom_id: str
    line: int
    assessment: str
    state: Literal[State.FAILED, State.CANCELLED]
    error: FailureView


def batch_view(batch: Batch, counts: LineCounts, seconds_left: float | None) -> BatchView:
    """The batch in the API's representation."""
    return BatchView.model_validate(
        {
            "id": batch.id,
            "state": str(batch.state),
            "counts": BatchCounts(
                queued=counts.queued,
                running=counts.running,
                succeeded=counts.succeeded,
                abstained=counts.abstained,
                failed=counts.failed,
                cancelled=counts.cancelled,
                total=counts.total,
            ),
            "created_at": batch.created_at,
            "finished_at": batch.finished_at,
            "eta_seconds": None if seconds_left is None else round(seconds_left, 1),
            "links": BatchLinks(
                self=batch_path(batch.id),
                output=f"{batch_path(batch.id)}/output",
                errors=f"{batch_path(batch.id)}/errors",
            ),
        }
    )


def batch_path(batch_id: str) -> str:
    """The path of a batch."""
    return f"/v1/batches/{batch_id}"
