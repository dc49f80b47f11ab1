"""The assessments of a caller. Every query is bound to the tenant of the caller."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import Select, delete, select
from sqlalchemy.orm import Session

from service.assessments.lifecycle import finish
from service.assessments.stages import new_stage
from service.assessments.states import FINAL_STATES, Assessment, Failure, NewAssessment, Priority, StageKind, State
from service.auth.caller import Caller
from service.errors.not_found import AssessmentNotFound
from service.storage.database import now
from service.storage.pagination import Page, PageRequest, fetch_page
from service.storage.tables import AssessmentRow

IDS_PER_QUERY = 500


class AssessmentRepository:
    """The assessments of one caller's tenant; those of other tenants raise AssessmentNotFound."""

    def __init__(self, session: Session, caller: Caller) -> None:
        self._session = session
        self._caller = caller

    def add(self, order: NewAssessment) -> Assessment:
        """Insert the assessment and its first stage, in the session's transaction."""
        row = AssessmentRow(**assessment_columns(order, self._caller.tenant, now()))
        self._session.add(row)
        # No relationship is mapped, so SQLAlchemy would not know that the stage refers to this row and comes second.
        self._session.flush()
        self._session.add(new_stage(order.id, StageKind.PREPARE, 0))
        return _assessment(row)

    def get(self, assessment_id: str) -> Assessment:
        """Raises AssessmentNotFound, also for another tenant's."""
        return _assessment(self._row(assessment_id))

    def page(self, *, limit: int, cursor: str | None, state: State | None) -> Page[Assessment]:
        """Newest first. Raises InvalidRequest for a cursor that this service did not issue."""
        query = self._own() if state is None else self._own().where(AssessmentRow.state == state)
        asked = PageRequest(limit=limit, cursor=cursor)
        return fetch_page(self._session, query, AssessmentRow, asked, _assessment)

    def cancel(self, assessment_id: str) -> bool:
        """Cancel an unfinished assessment with its stages; False when it was final already."""
        return finish(self._session, self._row(assessment_id, lock=True), State.CANCELLED)

    def erase(self, assessment_id: str) -> None:
        """Remove the rows of a finished assessment. Raises AssessmentNotFound."""
        erased = self._session.scalars(
            delete(AssessmentRow)
            .where(
                AssessmentRow.id == assessment_id,
                AssessmentRow.tenant == self._caller.tenant,
                AssessmentRow.state.in_(FINAL_STATES),
            )
            .returning(AssessmentRow.id)
        ).all()
        # Raises for an unknown id; an assessment of the tenant that is not final is left as it is.
        if not erased:
            self._row(assessment_id)

    def _own(self) -> Select[AssessmentRow]:
        return select(AssessmentRow).where(AssessmentRow.tenant == self._caller.tenant)

    def _row(self, assessment_id: str, *, lock: bool = False) -> AssessmentRow:
        query = self._own().where(AssessmentRow.id == assessment_id)
        row = self._session.scalars(query.with_for_update() if lock else query).one_or_none()
        if row is None:
            raise AssessmentNotFound("There is no assessment with this id.")
        return row


def assessment_columns(order: NewAssessment, tenant: str, moment: datetime) -> dict[str, object]:
    """The columns of a new assessment."""
    return {
        "id": order.id,
        "tenant": tenant,
        "state": State.QUEUED,
        "task": order.task,
        "reference": order.reference,
        "priority": order.priority,
        "bundle": order.bundle,
        "request_id": order.request_id,
        "created_at": moment,
        "updated_at": moment,
        "audio_key": order.audio_key,
        "transcript_key": order.transcript_key,
        "segments_done": 0,
        "version": 1,
        "audio_seconds": order.audio_seconds,
        "recording": None if order.recording is None else dict(order.recording),
        "batch_id": None if order.batch_position is None else order.batch_position.batch_id,
        "batch_line": None if order.batch_position is None else order.batch_position.line,
        "custom_id": None if order.batch_position is None else order.batch_position.custom_id,
    }


def changed_since(session: Session, known: Mapping[str, int]) -> dict[str, Assessment | None]:
    """Assessments with a version newer than the known one, by id; None for those that were erased.

    Not bound to a tenant: the subscriber has checked each id once through AssessmentRepository.
    """
    changed: dict[str, Assessment | None] = {}
    ids = list(known)
    for start in range(0, len(ids), IDS_PER_QUERY):
        batch = ids[start : start + IDS_PER_QUERY]
        query = select(AssessmentRow.id, AssessmentRow.version).where(AssessmentRow.id.in_(batch))
        versions = {row.id: row.version for row in session.execute(query)}
        # Two queries: most assessments have not changed, and versions alone are read from the primary key.
        stale = [key for key in batch if key in versions and versions[key] > known[key]]
        rows = session.scalars(select(AssessmentRow).where(AssessmentRow.id.in_(stale))) if stale else ()
        changed |= {key: None for key in batch if key not in versions} | {row.id: _assessment(row) for row in rows}
    return changed


def _assessment(row: AssessmentRow) -> Assessment:
    return Assessment(
        id=row.id,
        state=State(row.state),
        task=row.task,
        reference=row.reference,
        bundle=row.bundle,
        created_at=row.created_at,
        updated_at=row.updated_at,
        finished_at=row.finished_at,
        segments_done=row.segments_done,
        segments_total=row.segments_total,
        result_key=row.result_key,
        failure=_failure(row),
        version=row.version,
        batch_id=row.batch_id,
        custom_id=row.custom_id,
        priority=Priority(row.priority),
        audio_seconds=row.audio_seconds,
    )


def _failure(row: AssessmentRow) -> Failure | None:
    if row.failure_code is None:
        return None
    return Failure(
        code=row.failure_code,
        detail=row.failure_detail or "",
        advice=row.failure_advice or "",
        retryable=bool(row.failure_retryable),
    )
