"""The batches of a caller. Every query is bound to the tenant of the caller."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import TypeVar

from sqlalchemy import Select, func, insert, select, update
from sqlalchemy.orm import Session

from service.assessments.repository import assessment_columns
from service.assessments.stages import new_stage
from service.assessments.states import NewAssessment, StageKind, State
from service.auth.caller import Caller
from service.batches.states import FINAL_BATCH_STATES, Batch, BatchState, LineCounts
from service.errors.not_found import BatchNotFound
from service.storage.database import now
from service.storage.pagination import Page, PageRequest, fetch_page
from service.storage.tables import AssessmentRow, BatchRow, StageRow, Table

ROWS_PER_INSERT = 500
RATE_WINDOW_LINES = 100
MIN_RATE_LINES = 5
Item = TypeVar("Item")


class BatchRepository:
    """The batches of one caller's tenant; those of other tenants raise BatchNotFound."""

    def __init__(self, session: Session, caller: Caller) -> None:
        self._session = session
        self._caller = caller

    def add(self, batch_id: str, request_id: str, orders: Sequence[NewAssessment]) -> Batch:
        """Insert the batch, its assessments and their first stages, in the session's transaction."""
        moment = now()
        row = BatchRow(
            id=batch_id,
            tenant=self._caller.tenant,
            state=BatchState.RUNNING,
            lines=len(orders),
            request_id=request_id,
            created_at=moment,
            updated_at=moment,
        )
        self._session.add(row)
        self._session.flush()
        # Bulk inserts of dictionaries: mapped objects take nearly twice as long, and on SQLite all writers wait for it.
        assessments, stages = (Table.metadata.tables[table.__tablename__] for table in (AssessmentRow, StageRow))
        stage = _columns(new_stage("", StageKind.PREPARE, 0))
        for part in chunked(list(enumerate(orders)), ROWS_PER_INSERT):
            # Creation times a microsecond apart, so that the lines are processed in their order.
            rows = [
                assessment_columns(order, self._caller.tenant, moment + timedelta(microseconds=number))
                for number, order in part
            ]
            firsts = [{**stage, "id": str(uuid.uuid4()), "assessment_id": order.id} for _, order in part]
            self._session.execute(insert(assessments), rows)
            self._session.execute(insert(stages), firsts)
        return _batch(row)

    def get(self, batch_id: str) -> Batch:
        """Raises BatchNotFound, also for another tenant's."""
        row = self._session.scalars(self._own().where(BatchRow.id == batch_id)).one_or_none()
        if row is None:
            raise BatchNotFound("There is no batch with this id.")
        return _batch(row)

    def page(self, *, limit: int, cursor: str | None) -> Page[Batch]:
        """Newest first. Raises InvalidRequest for a cursor that this service did not issue."""
        asked = PageRequest(limit=limit, cursor=cursor)
        return fetch_page(self._session, self._own(), BatchRow, asked, _batch)

    def counts(self, batch: Batch) -> LineCounts:
        """The number of lines in each state."""
        query = (
            select(AssessmentRow.state, func.count())
            .where(AssessmentRow.batch_id == batch.id)
            .group_by(AssessmentRow.state)
        )
        by_state: dict[str, int] = {state: count for state, count in self._session.execute(query)}  # noqa: C416 - rows are no tuples to mypy
        return LineCounts(
            queued=by_state.get(State.QUEUED, 0),
            running=sum(by_state.get(state, 0) for state in (State.PREPARING, State.ENCODING, State.SCORING)),
            succeeded=by_state.get(State.SUCCEEDED, 0),
            abstained=by_state.get(State.ABSTAINED, 0),
            failed=by_state.get(State.FAILED, 0),
            cancelled=by_state.get(State.CANCELLED, 0),
            total=batch.lines,
        )

    def eta_seconds(self, batch: Batch, counts: LineCounts) -> float | None:
        """Seconds until the unfinished lines end, at the rate of the last RATE_WINDOW_LINES; None with too few ends.

        The rate is taken up to now and not up to the last end, so that it falls when lines stop ending.
        """
        if not counts.unfinished:
            return 0.0
        ends = self._session.scalars(
            select(AssessmentRow.finished_at)
            .where(AssessmentRow.batch_id == batch.id, AssessmentRow.finished_at.is_not(None))
            .order_by(AssessmentRow.finished_at.desc())
            .limit(RATE_WINDOW_LINES)
        ).all()
        if len(ends) < MIN_RATE_LINES or ends[-1] is None:
            return None
        began = ends[-1] if len(ends) == RATE_WINDOW_LINES else batch.created_at
        return counts.unfinished * (now() - began).total_seconds() / len(ends)

    def begin_cancelling(self, batch_id: str) -> bool:
        """Start to cancel a running batch; False when it is final. Raises BatchNotFound."""
        self._transition(batch_id, (BatchState.RUNNING,), BatchState.CANCELLING)
        return self.get(batch_id).state not in FINAL_BATCH_STATES

    def begin_erasing(self, batch_id: str) -> None:
        """Start to erase a final batch, which clients no longer see from now on. Raises BatchNotFound."""
        if not self._transition(batch_id, FINAL_BATCH_STATES, BatchState.ERASING):
            self.get(batch_id)

    def _transition(self, batch_id: str, sources: tuple[BatchState, ...], target: BatchState) -> bool:
        moved = self._session.scalars(
            update(BatchRow)
            .where(BatchRow.id == batch_id, BatchRow.tenant == self._caller.tenant, BatchRow.state.in_(sources))
            .values(state=target, updated_at=now())
            .returning(BatchRow.id)
            .execution_options(synchronize_session=False)
        ).all()
        return bool(moved)

    def _own(self) -> Select[BatchRow]:
        return select(BatchRow).where(BatchRow.tenant == self._caller.tenant, BatchRow.state != BatchState.ERASING)


def chunked(items: Sequence[Item], size: int) -> Iterator[Sequence[Item]]:
    """The items in slices of at most `size`."""
    for start in range(0, len(items), size):
        yield items[start : start + size]


def _columns(row: StageRow) -> dict[str, object]:
    return {column.key: getattr(row, column.key) for column in StageRow.__table__.columns}


def _batch(row: BatchRow) -> Batch:
    return Batch(
        id=row.id,
        state=BatchState(row.state),
        lines=row.lines,
        created_at=row.created_at,
        updated_at=row.updated_at,
        finished_at=row.finished_at,
        output_key=row.output_key,
        errors_key=row.errors_key,
    )
