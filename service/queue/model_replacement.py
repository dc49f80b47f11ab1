"""Assessments whose model has gone: no living worker has it, so they begin again with one that is there.

What the model before has left is of no use to another one, whose encoders may differ. So the recording, which lies in
the store until the assessment ends, is prepared anew.
"""

from __future__ import annotations

from datetime import timedelta

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from service.assessments.lifecycle import restart
from service.assessments.states import Failure, StageKind, State
from service.storage.database import Database, now
from service.storage.tables import AssessmentRow, ModelRow
from service.worker_registry import LivingWorker, living

log = structlog.stdlib.get_logger(__name__)
AT_ONCE = 100
BEGUN = (State.ENCODING, State.SCORING)
MATERIAL_GONE = Failure(
    code="model_replaced",
    detail="The model that the assessment had begun with was replaced, and its recording is no longer there.",
    advice="Send the recording again.",
    retryable=True,
)


def send_back_stranded(database: Database, silence: timedelta) -> int:
    """Let what no living worker can go on with begin again; returns how many assessments that were.

    Only once their model was not seen for `silence`, and while others can prepare: workers that merely restart, and a
    service without any, are waited for.
    """
    with database.reading() as session:
        workers = living(session, silence)
        found = _stranded(session, workers, silence) if _can_prepare(workers) else []
    for assessment_id in found:
        with database.writing() as session:
            _send_back(session, assessment_id, {worker.model for worker in living(session, silence)})
    return len(found)


def _can_prepare(workers: list[LivingWorker]) -> bool:
    return any(worker.model is not None and StageKind.PREPARE in worker.queues for worker in workers)


def _stranded(session: Session, workers: list[LivingWorker], silence: timedelta) -> list[str]:
    seen = select(ModelRow.digest).where(ModelRow.seen_at >= now() - silence)
    query = (
        select(AssessmentRow.id)
        .where(
            AssessmentRow.state.in_(BEGUN),
            AssessmentRow.model_digest.is_not(None),
            AssessmentRow.model_digest.not_in({worker.model for worker in workers if worker.model is not None}),
            AssessmentRow.model_digest.not_in(seen),
        )
        .order_by(AssessmentRow.created_at)
        .limit(AT_ONCE)
    )
    return list(session.scalars(query))


def _send_back(session: Session, assessment_id: str, loaded: set[str | None]) -> None:
    row = session.get(AssessmentRow, assessment_id, with_for_update=True)
    if row is None or row.state not in BEGUN or row.model_digest in loaded:
        return
    model = row.model_digest
    if restart(session, row, MATERIAL_GONE):
        log.warning("an assessment begins again: no worker has its model any more", assessment=row.id, model=model)
