"""Finish, cancel and erase batches in small steps that the sweeper repeats.

Every step is idempotent: a process that dies leaves the batch in a state from which the next sweep continues.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from time import monotonic

import structlog
from sqlalchemy import delete, exists, or_, select, update
from sqlalchemy.orm import Session

from service.assessments.lifecycle import finish
from service.assessments.states import FINAL_STATES, State
from service.batches.output import LineSource, error_lines, last_line_number, result_lines
from service.batches.states import FINAL_BATCH_STATES, BatchState
from service.storage.database import Database, now
from service.storage.objects import ObjectStore, assessment_prefix, batch_prefix
from service.storage.tables import AssessmentRow, BatchRow, UploadRow
from service.webhooks.outbox import enqueue_batch_event

log = structlog.stdlib.get_logger(__name__)
UNFINISHED_STATES = tuple(state for state in State if state not in FINAL_STATES)
# Small transactions: other writers, who wait on SQLite, come between them (decision 0030).
LINES_PER_TRANSACTION = 50
LINES_PER_PART = 200
BATCHES_PER_SWEEP = 5
BATCH_BUDGET = timedelta(seconds=1)
EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


@dataclass(frozen=True, slots=True, kw_only=True)
class DueBatch:
    """A batch with work to do, as it was read."""

    id: str
    state: BatchState
    updated_at: datetime

    @property
    def files(self) -> str:
        """Prefix of the files of this version of the batch; another version has another prefix."""
        return f"{batch_prefix(self.id)}{(self.updated_at - EPOCH) // timedelta(microseconds=1)}/"


def advance_batches(database: Database, objects: ObjectStore, budget: timedelta = BATCH_BUDGET) -> None:
    """Advance every batch with work to do, for at most `budget` each."""
    for batch in _due_batches(database):
        if batch.state == BatchState.ERASING:
            erase_batch(database, objects, batch.id, budget)
        elif batch.state != BatchState.CANCELLING or cancel_lines(database, batch.id, budget):
            _write_files(database, objects, batch, budget)


def cancel_lines(database: Database, batch_id: str, budget: timedelta) -> bool:
    """Cancel the unfinished lines within `budget`; True when all lines have ended.

    A few lines in each transaction, so that other writers do not wait long.
    """
    deadline = monotonic() + budget.total_seconds()
    while database.write(partial(_cancel_some, batch_id)) == LINES_PER_TRANSACTION:
        if monotonic() > deadline:
            return False
    return True


def _cancel_some(batch_id: str, session: Session) -> int:
    rows = session.scalars(
        select(AssessmentRow)
        .where(AssessmentRow.batch_id == batch_id, AssessmentRow.state.in_(UNFINISHED_STATES))
        # In one order, so that a request and the sweeper that cancel the same batch cannot deadlock.
        .order_by(AssessmentRow.id)
        .limit(LINES_PER_TRANSACTION)
        .with_for_update()
    ).all()
    for row in rows:
        finish(session, row, State.CANCELLED)
    return len(rows)


def erase_batch(database: Database, objects: ObjectStore, batch_id: str, budget: timedelta) -> bool:
    """Erase a batch in state `erasing`, with its assessments and objects, within `budget`; True when all is erased.

    Objects are deleted before their rows: a row that is left says what is still to be deleted.
    """
    deadline = monotonic() + budget.total_seconds()
    query = select(AssessmentRow.id, AssessmentRow.audio_key, AssessmentRow.transcript_key)
    query = query.where(AssessmentRow.batch_id == batch_id).limit(LINES_PER_TRANSACTION)
    objects.delete(batch_prefix(batch_id))
    while True:
        rows = database.read(lambda session: session.execute(query).all())
        for row in rows:
            objects.delete(assessment_prefix(row.id))
            for key in (row.audio_key, row.transcript_key):
                if key is not None:
                    objects.remove(key)
        database.write(partial(_erase_rows, batch_id, [row.id for row in rows]))
        if not rows:
            return True
        if monotonic() > deadline:
            return False


def _erase_rows(batch_id: str, assessment_ids: list[str], session: Session) -> None:
    """Erase these assessments, or the batch itself when there are none."""
    if assessment_ids:
        session.execute(delete(AssessmentRow).where(AssessmentRow.id.in_(assessment_ids)))
        return
    # Their objects were deleted with the lines that used them.
    session.execute(delete(UploadRow).where(UploadRow.used_by == batch_id))
    session.execute(delete(BatchRow).where(BatchRow.id == batch_id, BatchRow.state == BatchState.ERASING))


def invalidate_files(database: Database, objects: ObjectStore, batch_id: str) -> None:
    """Delete the files of the batch because one of its assessments was erased; the sweeper writes them again."""
    withdrawal = update(BatchRow).where(BatchRow.id == batch_id)
    # The row first: readers then generate the lines anew, and a sweeper that is writing cannot finish the old version.
    withdrawal = withdrawal.values(output_key=None, errors_key=None, updated_at=now())
    database.write(lambda session: session.execute(withdrawal))
    objects.delete(batch_prefix(batch_id))


def _due_batches(database: Database) -> list[DueBatch]:
    has_open = exists().where(AssessmentRow.batch_id == BatchRow.id, AssessmentRow.state.in_(UNFINISHED_STATES))
    query = (
        select(BatchRow.id, BatchRow.state, BatchRow.updated_at)
        .where(
            or_(
                BatchRow.state.in_((BatchState.CANCELLING, BatchState.ERASING)),
                (BatchRow.state == BatchState.RUNNING) & ~has_open,
                BatchRow.state.in_(FINAL_BATCH_STATES) & BatchRow.output_key.is_(None),
            )
        )
        .order_by(BatchRow.updated_at)
        .limit(BATCHES_PER_SWEEP)
    )
    with database.reading() as session:
        rows = session.execute(query).all()
    return [DueBatch(id=row.id, state=BatchState(row.state), updated_at=row.updated_at) for row in rows]


def _write_files(database: Database, objects: ObjectStore, batch: DueBatch, budget: timedelta) -> None:
    """Write the missing parts of the two files and finish the batch; continues in the next sweep after `budget`."""
    deadline = monotonic() + budget.total_seconds()
    last = last_line_number(database, batch.id)
    parts = max(1, -(-last // LINES_PER_PART))
    # The errors of a part are written after its output, so an errors file proves that both exist.
    for part in range(len(objects.list(f"{batch.files}errors/")), parts):
        if monotonic() > deadline:
            return
        _write_part(database, objects, batch, part, last)
    _finish_batch(database, objects, batch)


def _write_part(database: Database, objects: ObjectStore, batch: DueBatch, part: int, last: int) -> None:
    after = part * LINES_PER_PART
    files: tuple[tuple[str, LineSource], ...] = (("output", result_lines), ("errors", error_lines))
    for name, between in files:
        lines = between(database, objects, batch.id, after, min(last, after + LINES_PER_PART))
        objects.write(f"{batch.files}{name}/{part:08d}", b"".join(lines))


def _finish_batch(database: Database, objects: ObjectStore, batch: DueBatch) -> None:
    """Set the final state if the batch has not changed since it was read; otherwise delete this version's files."""
    moment = now()
    final = {BatchState.RUNNING: BatchState.FINISHED, BatchState.CANCELLING: BatchState.CANCELLED}
    with database.writing() as session:
        closed = session.scalars(
            update(BatchRow)
            .where(BatchRow.id == batch.id, BatchRow.state == batch.state, BatchRow.updated_at == batch.updated_at)
            .values(
                state=final.get(batch.state, batch.state),
                output_key=f"{batch.files}output/",
                errors_key=f"{batch.files}errors/",
                updated_at=moment,
                **({"finished_at": moment} if batch.state in final else {}),
            )
            .returning(BatchRow)
            .execution_options(synchronize_session=False)
        ).one_or_none()
        # Files that are written again after an erasure are no second end of the batch.
        if closed is not None and batch.state in final:
            enqueue_batch_event(session, closed)
    if closed is None:
        # A line was erased meanwhile, and these files may hold its result.
        objects.delete(batch.files)
        return
    for key in objects.list(batch_prefix(batch.id)):  # files of versions that were never finished
        if not key.startswith(batch.files):
            objects.remove(key)
    if batch.state in final:
        log.info("batch ended", batch=batch.id, state=str(final[batch.state]))
