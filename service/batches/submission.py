"""Submit a batch: one transaction inserts every line and claims every upload, or refuses the whole batch."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from sqlalchemy.orm import Session

from service.assessments.states import BatchPosition, NewAssessment, Priority
from service.assessments.submission import require_models
from service.auth.caller import Caller
from service.batches.manifest import BatchProblems
from service.batches.repository import BatchRepository
from service.batches.states import Batch, BatchLine, StoredLine
from service.errors.tree import RequestRefused
from service.storage.database import Database
from service.storage.objects import ObjectStore
from service.uploads.material import Material, resolve_material
from service.uploads.repository import StoredUpload, UploadRepository

INSPECTION_THREADS = 16

TransactionHook = Callable[[Session, Batch], None]


class BatchSubmission:
    """A batch to be submitted. The constructor raises ModelNotReady while no model is loaded."""

    def __init__(self, database: Database, caller: Caller, batch_id: str, request_id: str) -> None:
        self._database = database
        self._caller = caller
        self._batch_id = batch_id
        self._request_id = request_id
        # In reverse order the newest model of a task comes last and overwrites the older ones.
        self._bundles = {
            task.name: model.bundle for model in reversed(require_models(database)) for task in model.tasks
        }

    @property
    def tasks(self) -> frozenset[str]:
        """The tasks that a line may name."""
        return frozenset(self._bundles)

    def submit_stored(self, lines: Sequence[StoredLine], then: TransactionHook) -> Batch:
        """Submit lines whose files came with the request; `then` runs last in the transaction."""
        return self._database.write(lambda session: self._add(session, lines, then))

    def submit_uploaded(
        self, lines: Sequence[BatchLine], objects: ObjectStore, transcript_limit: int, then: TransactionHook
    ) -> Batch:
        """Submit lines that name uploads; `then` runs last in the transaction. Raises BatchInvalid."""
        named = {name for line in lines for name in (line.audio, line.transcript) if name is not None}
        uploads_by_id = self._database.read(
            lambda session: UploadRepository(session, self._caller).find_many(named, lock=False)
        )
        _refuse_unusable(lines, uploads_by_id)
        # Before the transaction: reading the object store inside it would keep all other writers of SQLite waiting.
        stored = _inspect_uploads(lines, uploads_by_id, objects, transcript_limit)

        def take(session: Session) -> Batch:
            uploads = UploadRepository(session, self._caller)
            # A complete upload no longer changes, but another request may have claimed it since.
            _refuse_unusable(lines, uploads.find_many(named, lock=True))
            uploads.claim_many(named, self._batch_id)
            return self._add(session, stored, then)

        return self._database.write(take)

    def _add(self, session: Session, lines: Sequence[StoredLine], then: TransactionHook) -> Batch:
        orders = [self._order(line) for line in lines]
        batch = BatchRepository(session, self._caller).add(self._batch_id, self._request_id, orders)
        then(session, batch)
        return batch

    def _order(self, stored: StoredLine) -> NewAssessment:
        line = stored.line
        return NewAssessment(
            id=stored.assessment_id,
            task=line.task,
            reference=line.reference,
            priority=Priority.BATCH,
            bundle=self._bundles[line.task],
            request_id=self._request_id,
            audio_key=stored.audio_key,
            transcript_key=stored.transcript_key,
            audio_seconds=stored.audio_seconds,
            recording=line.recording,
            batch_position=BatchPosition(batch_id=self._batch_id, line=line.line, custom_id=line.custom_id),
        )


def _inspect_uploads(
    lines: Sequence[BatchLine], uploads: dict[str, StoredUpload], objects: ObjectStore, transcript_limit: int
) -> list[StoredLine]:
    """Check the content of the uploads, several at a time. Raises BatchInvalid."""
    problems = BatchProblems()

    def inspect(line: BatchLine) -> Material | RequestRefused:
        audio, transcript = (None if name is None else uploads[name] for name in (line.audio, line.transcript))
        try:
            return resolve_material(objects, audio=audio, transcript=transcript, transcript_limit=transcript_limit)
        except RequestRefused as refusal:
            return refusal

    stored = []
    with ThreadPoolExecutor(INSPECTION_THREADS, thread_name_prefix="inspect") as pool:
        for line, material in zip(lines, pool.map(inspect, lines), strict=True):
            if isinstance(material, RequestRefused):
                problems.add(line.line, f"{material.detail} ({material.code})")
            else:
                stored.append(_stored_line(line, material))
    problems.raise_if_any()
    return stored


def _stored_line(line: BatchLine, material: Material) -> StoredLine:
    return StoredLine(
        line=line,
        assessment_id=str(uuid.uuid4()),
        audio_key=material.audio_key,
        transcript_key=material.transcript_key,
        audio_seconds=material.audio_seconds,
    )


def _refuse_unusable(lines: Sequence[BatchLine], uploads: dict[str, StoredUpload]) -> None:
    problems = BatchProblems()
    for line in lines:
        for field, name in (("audio_upload", line.audio), ("transcript_upload", line.transcript)):
            if name is not None and (reason := _upload_problem(uploads.get(name))) is not None:
                problems.add(line.line, f"{field} {reason}")
    problems.raise_if_any()


def _upload_problem(upload: StoredUpload | None) -> str | None:
    if upload is None:
        return "names no upload"
    if not upload.complete:
        return "names an upload that is not complete"
    return None if upload.used_by is None else "names an upload that was used before"
