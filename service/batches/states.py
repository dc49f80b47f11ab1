"""Value objects of batches: states, counts and lines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any


class BatchState(StrEnum):
    """The state of a batch; `finished` and `cancelled` are final, and clients no longer see one in `erasing`."""

    RUNNING = "running"
    CANCELLING = "cancelling"
    FINISHED = "finished"
    CANCELLED = "cancelled"
    ERASING = "erasing"


FINAL_BATCH_STATES = (BatchState.FINISHED, BatchState.CANCELLED)


@dataclass(frozen=True, slots=True, kw_only=True)
class LineCounts:
    """The number of lines in each state. Lines whose assessment was erased count in `total` alone."""

    queued: int
    running: int
    succeeded: int
    abstained: int
    failed: int
    cancelled: int
    total: int

    @property
    def unfinished(self) -> int:
        """Lines that have not ended."""
        return self.queued + self.running


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """A batch; the keys are those of its files once they are written."""

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
    """A line of a batch as the client wrote it; `audio` and `transcript` name uploads or members of the archive."""

    line: int
    custom_id: str
    task: str
    reference: str | None
    audio: str | None
    transcript: str | None
    recording: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredLine:
    """A line with its material in the object store and the id of its assessment; `audio_seconds` is an estimate."""

    line: BatchLine
    assessment_id: str
    audio_key: str | None
    transcript_key: str | None
    audio_seconds: float | None = None
