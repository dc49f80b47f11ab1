"""How a batch ends: its lines are cancelled, its files written, its traces erased, each in small steps.

Every step may be repeated: whoever dies in the middle leaves a batch in a state from which the sweeper goes on.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from time import monotonic

import structlog
from sqlalchemy import delete, exists, or_, select, update
from sqlalchemy.orm import Session

from service.assessments.lifecycle import end
from service.assessments.states import FINAL, State
from service.batches.output import LinesBetween, errors_between, last_line, output_between
from service.batches.states import ENDED, BatchState
from service.storage.database import Database, now
from service.storage.objects import ObjectStore, assessment_prefix, batch_prefix
from service.storage.tables import AssessmentRow, BatchRow, UploadRow
from service.webhooks.outbox import announce_batch

log = structlog.stdlib.get_logger(__name__)
OPEN = tuple(state for state in State if state not in FINAL)
LINES_AT_ONCE = 50
LINES_IN_A_PART = 200
BATCHES_AT_ONCE = 5
SLICE = timedelta(seconds=1)
EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


@dataclass(frozen=True, slots=True, kw_only=True)
class DueBatch:
    """A batch with something to do, as it was when it was looked at."""

    id: str
    state: BatchState
    updated_at: datetime

    @property
    def files(self) -> str:
        """Where this version's files go; another version never shares them."""
        return f"{batch_prefix(self.id)}{(self.updated_at - EPOCH) // timedelta(microseconds=1)}/"


def finish_batches(database: Database, objects: ObjectStore, each: timedelta = SLICE) -> None:
    """Bring every batch that has something to do nearer to its end; at most `each` is spent on one."""
    for batch in _due(database):
        if batch.state == BatchState.ERASING:
            erase_batch(database, objects, batch.id, each)
        elif batch.state != BatchState.CANCELLING or cancel_lines(database, batch.id, each):
            _write_files(database, objects, batch, each)


def cancel_lines(database: Database, batch_id: str, within: timedelta) -> bool:
    """Cancel what is open, a few lines in each transaction, so that no writer waits long; True when all have ended."""
    deadline = monotonic() + within.total_seconds()
    while database.write(partial(_cancel_some, batch_id)) == LINES_AT_ONCE:
        if monotonic() > deadline:
            return False
    return True


def _cancel_some(batch_id: str, session: Session) -> int:
    rows = session.scalars(
        select(AssessmentRow)
        .where(AssessmentRow.batch_id == batch_id, AssessmentRow.state.in_(OPEN))
        .order_by(AssessmentRow.id)
        .limit(LINES_AT_ONCE)
        .with_for_update()
    ).all()
    for row in rows:
        end(session, row, State.CANCELLED)
    return len(rows)


def erase_batch(database: Database, objects: ObjectStore, batch_id: str, within: timedelta) -> bool:
    """Erase a batch in state `erasing` with its assessments and all their objects; True when nothing is left."""
    deadline = monotonic() + within.total_seconds()
    query = select(AssessmentRow.id, AssessmentRow.audio_key, AssessmentRow.transcript_key)
    query = query.where(AssessmentRow.batch_id == batch_id).limit(LINES_AT_ONCE)
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
    """Erase these assessments; where there are none left, the batch itself."""
    if assessment_ids:
        session.execute(delete(AssessmentRow).where(AssessmentRow.id.in_(assessment_ids)))
        return
    session.execute(delete(UploadRow).where(UploadRow.used_by == batch_id))
    session.execute(delete(BatchRow).where(BatchRow.id == batch_id, BatchRow.state == BatchState.ERASING))


def withdraw_line(database: Database, objects: ObjectStore, batch_id: str) -> None:
    """A line's assessment was erased by itself: the files that hold its answer go too, and are written anew."""
    withdrawal = update(BatchRow).where(BatchRow.id == batch_id)
    withdrawal = withdrawal.values(output_key=None, errors_key=None, updated_at=now())
    database.write(lambda session: session.execute(withdrawal))
    objects.delete(batch_prefix(batch_id))


def _due(database: Database) -> list[DueBatch]:
    has_open = exists().where(AssessmentRow.batch_id == BatchRow.id, AssessmentRow.state.in_(OPEN))
    query = (
        select(BatchRow.id, BatchRow.state, BatchRow.updated_at)
        .where(
            or_(
                BatchRow.state.in_((BatchState.CANCELLING, BatchState.ERASING)),
                (BatchRow.state == BatchState.RUNNING) & ~has_open,
                BatchRow.state.in_(ENDED) & BatchRow.output_key.is_(None),
            )
        )
        .order_by(BatchRow.updated_at)
        .limit(BATCHES_AT_ONCE)
    )
    with database.reading() as session:
        rows = session.execute(query).all()
    return [DueBatch(id=row.id, state=BatchState(row.state), updated_at=row.updated_at) for row in rows]


def _write_files(database: Database, objects: ObjectStore, batch: DueBatch, within: timedelta) -> None:
    """Write what is missing of the two files and close the batch; what cannot be done in time is left for later."""
    deadline = monotonic() + within.total_seconds()
    last = last_line(database, batch.id)
    parts = max(1, -(-last // LINES_IN_A_PART))
    # The errors of a part are written after its output: where they stand, both do.
    for part in range(len(objects.list(f"{batch.files}errors/")), parts):
        if monotonic() > deadline:
            return
        _write_part(database, objects, batch, part, last)
    _close(database, objects, batch)


def _write_part(database: Database, objects: ObjectStore, batch: DueBatch, part: int, last: int) -> None:
    after = part * LINES_IN_A_PART
    files: tuple[tuple[str, LinesBetween], ...] = (("output", output_between), ("errors", errors_between))
    for name, between in files:
        lines = between(database, objects, batch.id, after, min(last, after + LINES_IN_A_PART))
        objects.write(f"{batch.files}{name}/{part:08d}", b"".join(lines))


def _close(database: Database, objects: ObjectStore, batch: DueBatch) -> None:
    """Give the batch its final state if nothing has changed since it was looked at; else its files were for nothing."""
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
        if closed is not None and batch.state in final:
            announce_batch(session, closed)
    if closed is None:
        objects.delete(batch.files)
        return
    for key in objects.list(batch_prefix(batch.id)):  # of versions that were never closed
        if not key.startswith(batch.files):
            objects.remove(key)
    if batch.state in final:
        log.info("batch ended", batch=batch.id, state=str(final[batch.state]))
