"""`/livez`, `/readyz` and `/healthz`, without authentication: liveness, readiness, and health of the whole service."""

from __future__ import annotations

from fastapi import APIRouter
from sqlalchemy.exc import SQLAlchemyError

from service.api.dependencies import Components, ComponentsDep
from service.api.openapi.problems import problem_responses
from service.api.schemas.assessments import Health
from service.errors.tree import FieldProblem
from service.errors.unavailable import NotReady
from service.maintenance.coverage import unserved_queues
from service.task_queue.publisher import BrokerUnreachable

NO_WORKER = "no worker is ready"
MODEL_MISMATCH = "no worker has the model that others prepare for: replace the workers of all queues"
router = APIRouter(tags=["health"])


@router.get("/livez", response_model=Health, summary="The process lives")
async def live() -> Health:
    """Answers as long as the event loop runs."""
    return Health()


@router.get(
    "/readyz",
    response_model=Health,
    summary="The process takes requests",
    responses=problem_responses(NotReady),
)
async def ready(components: ComponentsDep) -> Health:
    """For load balancers: the process has started, has seen its schema and is not stopping; checks nothing else."""
    if missing := components.readiness.missing():
        raise NotReady("This process takes no requests.", fields=tuple(missing))
    return Health()


@router.get(
    "/healthz",
    response_model=Health,
    summary="The service can take work and do it",
    responses=problem_responses(NotReady),
)
def healthy(components: ComponentsDep) -> Health:
    """Database, queue, and for each queue a living worker whose model has passed a real forward pass.

    The workers of all queues have to serve the same model.
    """
    missing = [*_missing_workers(components), *_missing_queue(components)]
    if missing:
        raise NotReady("Some parts of the service are missing.", fields=tuple(missing))
    return Health()


def _missing_workers(components: Components) -> list[FieldProblem]:
    try:
        with components.database.reading() as session:
            uncovered = unserved_queues(session, components.settings.worker_timeout)
    except SQLAlchemyError:
        return [FieldProblem(location="database", reason="does not answer")]
    reasons = {f"worker.{gap.queue}": NO_WORKER if gap.model is None else MODEL_MISMATCH for gap in uncovered}
    return [FieldProblem(location=location, reason=reason) for location, reason in reasons.items()]


def _missing_queue(components: Components) -> list[FieldProblem]:
    try:
        components.publisher.check()
    except BrokerUnreachable:
        return [FieldProblem(location="queue", reason="is not reachable")]
    return []
