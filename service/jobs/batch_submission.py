"""Taking a batch: one transaction that inserts every line and takes every upload, or refuses the whole."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence

from sqlalchemy.orm import Session

from service.auth.caller import Caller
from service.jobs.assessment import BatchPlace, Order, Priority
from service.jobs.batch import Batch, BatchLine, StoredLine
from service.jobs.batch_manifest import Problems
from service.jobs.batch_repository import BatchRepository
from service.jobs.submission import require_model
from service.jobs.uploads import StoredUpload, UploadRepository
from service.storage.database import Database

Then = Callable[[Session, Batch], None]


class BatchSubmission:
    """One batch on its way into the database. Raises ModelNotReady when made before any model is there."""

    def __init__(self, database: Database, caller: Caller, batch_id: str, request_id: str) -> None:
        self._database = database
        self._caller = caller
        self._batch_id = batch_id
        self._request_id = request_id
        # The newest model of each task comes last, and stays.
        self._bundles = {task.name: model.bundle for model in reversed(require_model(database)) for task in model.tasks}

    @property
    def tasks(self) -> frozenset[str]:
        """Tasks that a line may ask for."""
        return frozenset(self._bundles)

    def take_stored(self, lines: Sequence[StoredLine], then: Then) -> Batch:
        """Accept lines whose material came with the request; `then` is the last of the transaction."""
        with self._database.writing() as session:
            return self._add(session, lines, then)

    def take_uploaded(self, lines: Sequence[BatchLine], transcript_limit: int, then: Then) -> Batch:
        """The same for lines whose material was uploaded before. Raises BatchInvalid."""
        named = {name for line in lines for name in (line.audio, line.transcript) if name is not None}
        with self._database.writing() as session:
            uploads = UploadRepository(session, self._caller)
            found = uploads.lock_many(named)
            _refuse_unusable(lines, found, transcript_limit)
            uploads.take_many(named, self._batch_id)
            return self._add(session, [_stored(line, found) for line in lines], then)

    def _add(self, session: Session, lines: Sequence[StoredLine], then: Then) -> Batch:
        orders = [self._order(line) for line in lines]
        batch = BatchRepository(session, self._caller).add(self._batch_id, self._request_id, orders)
        then(session, batch)
        return batch

    def _order(self, stored: StoredLine) -> Order:
        line = stored.line
        return Order(
            id=stored.assessment_id,
            task=line.task,
            reference=line.reference,
            priority=Priority.BATCH,
            bundle=self._bundles[line.task],
            request_id=self._request_id,
            audio_key=stored.audio_key,
            transcript_key=stored.transcript_key,
            audio_seconds=stored.audio_seconds,
            place=BatchPlace(batch_id=self._batch_id, line=line.line, custom_id=line.custom_id),
        )


def _stored(line: BatchLine, uploads: dict[str, StoredUpload]) -> StoredLine:
    return StoredLine(
        line=line,
        assessment_id=str(uuid.uuid4()),
        audio_key=None if line.audio is None else uploads[line.audio].key,
        transcript_key=None if line.transcript is None else uploads[line.transcript].key,
    )


def _refuse_unusable(lines: Sequence[BatchLine], uploads: dict[str, StoredUpload], transcript_limit: int) -> None:
    problems = Problems()
    for line in lines:
        for field, name in (("audio_upload", line.audio), ("transcript_upload", line.transcript)):
            if name is None:
                continue
            if (reason := _objection(uploads.get(name))) is not None:
                problems.add(line.line, f"{field} {reason}")
            elif field == "transcript_upload" and uploads[name].length > transcript_limit:
                problems.add(line.line, f"{field} is larger than {transcript_limit} bytes")
    problems.refuse()


def _objection(upload: StoredUpload | None) -> str | None:
    if upload is None:
        return "names no upload"
    if not upload.complete:
        return "names an upload that is not complete"
    return None if upload.used_by is None else "names an upload that was used before"
