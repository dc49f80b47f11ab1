"""Restart of assessments whose model was replaced, so that no live worker can finish them.

Segments and features of one model are of no use to another one, whose encoders may differ. So the recording, which
stays in the object store until the assessment ends, is prepared again.
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
from service.worker_registry import LiveWorker, live_workers

log = structlog.stdlib.get_logger(__name__)
MAX_ROWS = 100
# Without PREPARING: the first completed stage binds the model (decision 0040), so until then any worker goes on.
STARTED = (State.ENCODING, State.SCORING)
MATERIAL_REMOVED = Failure(
    code="model_replaced",
    detail="The model that began the assessment was replaced, and the recording is no longer stored.",
    advice="Send the recording again.",
    retryable=True,
)


def restart_without_model(database: Database, worker_timeout: timedelta) -> int:
    """Restart assessments that no live worker can finish; returns how many they were.

    Waits until the model was not seen for `worker_timeout` and another worker can prepare: a worker that merely
    restarts keeps its assessments, and so does a service without workers.
    """
    # Found in one read transaction, restarted one by one: each restart locks its assessment and checks again.
    with database.reading() as session:
        workers = live_workers(session, worker_timeout)
        stuck = _without_model(session, workers, worker_timeout) if _can_prepare(workers) else []
    for assessment_id in stuck:
        with database.writing() as session:
            # Read again: a worker that merely restarted may have registered since, and keeps its assessments.
            _restart(session, assessment_id, {worker.model for worker in live_workers(session, worker_timeout)})
    return len(stuck)


def _can_prepare(workers: list[LiveWorker]) -> bool:
    # Until some worker can prepare, a restart would only throw finished stages away.
    return any(worker.model is not None and StageKind.PREPARE in worker.queues for worker in workers)


def _without_model(session: Session, workers: list[LiveWorker], worker_timeout: timedelta) -> list[str]:
    seen = select(ModelRow.digest).where(ModelRow.seen_at >= now() - worker_timeout)
    query = (
        select(AssessmentRow.id)
        .where(
            AssessmentRow.state.in_(STARTED),
            AssessmentRow.model_digest.is_not(None),
            AssessmentRow.model_digest.not_in({worker.model for worker in workers if worker.model is not None}),
            AssessmentRow.model_digest.not_in(seen),
        )
        .order_by(AssessmentRow.created_at)
        .limit(MAX_ROWS)
    )
    return list(session.scalars(query))


def _restart(session: Session, assessment_id: str, loaded: set[str | None]) -> None:
    row = session.get(AssessmentRow, assessment_id, with_for_update=True)
    if row is None or row.state not in STARTED or row.model_digest in loaded:
        return
    model = row.model_digest
    if restart(session, row, MATERIAL_REMOVED):
        log.warning("assessment restarted: no worker has its model", assessment=row.id, model=model)
