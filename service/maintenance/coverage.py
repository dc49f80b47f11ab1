"""Coverage: the queues that no live worker serves, or not with the model that assessments are prepared for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy.orm import Session

from service.assessments.states import StageKind
from service.storage.database import now
from service.worker_registry import LiveWorker, live_workers

MODEL_BOUND = (StageKind.ENCODE, StageKind.SCORE)
"""Stages that only workers with the model of the prepare stage can take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnservedQueue:
    """A queue without a live worker or, when `model` is given, without one that has this model."""

    queue: str
    model: str | None = None


def unserved_queues(session: Session, worker_timeout: timedelta) -> list[UnservedQueue]:
    """Queues without a live worker, then queues without one for a model that other workers prepare for.

    Workers are replaced one after the other, so a model counts once a worker has prepared for it for
    `worker_timeout`.
    """
    workers = live_workers(session, worker_timeout)
    idle = [kind for kind in StageKind if not any(kind in worker.queues for worker in workers)]
    prepared = {worker.model for worker in workers if worker.model is not None and _prepares(worker, worker_timeout)}
    apart = [
        UnservedQueue(queue=kind, model=model)
        for model in sorted(prepared)
        for kind in MODEL_BOUND
        if kind not in idle and not any(kind in worker.queues and worker.model == model for worker in workers)
    ]
    return [*(UnservedQueue(queue=kind) for kind in idle), *apart]


def _prepares(worker: LiveWorker, worker_timeout: timedelta) -> bool:
    return StageKind.PREPARE in worker.queues and worker.started_at < now() - worker_timeout
