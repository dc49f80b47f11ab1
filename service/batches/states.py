"""The words of a batch: many assessments submitted together, and the files in which their answers are gathered."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class BatchState(StrEnum):
    """Where a batch stands; `finished` and `cancelled` are final, and one that is being erased is gone for clients."""

    RUNNING = "running"
    CANCELLING = "cancelling"
    FINISHED = "finished"
    CANCELLED = "cancelled"
    ERASING = "erasing"


FINAL_BATCH_STATES = (BatchState.FINISHED, BatchState.CANCELLED)


@dataclass(frozen=True, slots=True, kw_only=True)
class LineCounts:
    """How many lines stand where. Lines whose assessment was erased by itself are in `total` alone."""

    queued: int
    running: int
    succeeded: int
    abstained: int
    failed: int
    cancelled: int
    total: int

    @property
    def unfinished(self) -> int:
        """Lines still to be done."""
        return self.queued + self.running


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """A batch as its owner sees it; the keys are those of its files once they are written."""

    id: str
    state: BatchState
    lines: int
    created_at: datetime
    updated_at: datetime
    finished_at: datetime | None
    output_key: str | None
    errors_key: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchLine:
    """One assessment of a batch as its client wrote it; `audio` and `transcript` name uploads or members."""

    line: int
    custom_id: str
    task: str
    reference: str | None
    audio: str | None
    transcript: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredLine:
    """A line whose material lies in the object store, with the id of the assessment that it becomes.

    `audio_seconds` is a guess, where there is one.
    """

    line: BatchLine
    assessment_id: str
    audio_key: str | None
    transcript_key: str | None
    audio_seconds: float | None = None
