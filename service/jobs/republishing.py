"""Telling workers again of stages that nobody took up: messages are lost with their broker, stages are not."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.orm import Session

from service.jobs.assessment import StageKind, StageState
from service.jobs.lanes import fits
from service.jobs.workers import idle_slots
from service.storage.database import now
from service.storage.tables import AssessmentRow, StageRow

NOTICED_WITHIN = timedelta(seconds=5)
"""An idle worker takes up a message at once; one that was not taken up after this is taken for lost."""


def forget_unheard(session: Session, republish_after: timedelta, silence: timedelta) -> None:
    """Let the pump publish again what nobody took up.

    After `republish_after` whatever the workers do; much earlier while workers have nothing to do, and then only as
    many as these could take up, so that publishing again never grows faster than work is done.
    """
    forgotten = update(StageRow).values(enqueued_at=None)
    session.execute(forgotten.where(*_published_before(republish_after)))
    for kind in StageKind:
        for model, idle in idle_slots(session, kind, silence).items():
            if idle:
                lost = _oldest(session, kind, model, idle)
                session.execute(forgotten.where(StageRow.id.in_(lost), StageRow.state == StageState.READY))


def _oldest(session: Session, kind: StageKind, model: str | None, limit: int) -> list[str]:
    """What was published longest ago of that which workers with this model could take up."""
    query = (
        select(StageRow.id)
        .join(AssessmentRow, AssessmentRow.id == StageRow.assessment_id)
        .where(StageRow.kind == kind, *_published_before(NOTICED_WITHIN), fits(model))
        .order_by(StageRow.enqueued_at)
        .limit(limit)
    )
    return list(session.scalars(query))


def _published_before(age: timedelta) -> tuple[ColumnElement[bool], ...]:
    return StageRow.state == StageState.READY, StageRow.enqueued_at < now() - age
