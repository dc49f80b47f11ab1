"""What workers say of themselves: that they live, which queues they serve, which model they have loaded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from service.storage.conflicts import insert_into
from service.storage.database import now
from service.storage.tables import ModelRow, WorkerRow

LOST_WORKER_TTL = timedelta(days=1)
CURRENT_WITHIN = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskOutcomes:
    """A task and its classes, in the model's order."""

    name: str
    outcomes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedModel:
    """A bundle as a worker loaded it; digests identify it."""

    bundle: str
    version: str
    digest: str
    demonstration: bool
    tasks: tuple[TaskOutcomes, ...]
    encoders: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisteredModel:
    """A model that workers have registered, and when one last loaded it."""

    model: LoadedModel
    loaded_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerIdentity:
    """A worker process and the queues it serves."""

    id: str
    queues: tuple[str, ...]
    slots: int = 1


def register(session: Session, worker: WorkerIdentity, model: LoadedModel | None) -> None:
    """A worker has loaded its model and done a real forward pass with it; one that delivers needs no model."""
    moment = now()
    if model is not None:
        _register_model(session, model, moment)
    session.merge(
        WorkerRow(
            id=worker.id,
            queues=list(worker.queues),
            model_digest=None if model is None else model.digest,
            slots=worker.slots,
            started_at=moment,
            beat_at=moment,
            forward_at=moment,
        )
    )


def _register_model(session: Session, model: LoadedModel, moment: datetime) -> None:
    told = {
        "bundle": model.bundle,
        "version": model.version,
        "demonstration": model.demonstration,
        "tasks": {task.name: list(task.outcomes) for task in model.tasks},
        "encoders": dict(model.encoders),
        "loaded_at": moment,
        "seen_at": moment,
    }
    # Workers that start together all meet a model that nobody has told of.
    session.execute(
        insert_into(session, ModelRow)
        .values(digest=model.digest, **told)
        .on_conflict_do_update(index_elements=[ModelRow.digest], set_=told)
    )


def record_heartbeat(session: Session, worker: WorkerIdentity, model: LoadedModel | None, *, forward: bool) -> None:
    """The worker lives; `forward`: its model has computed something since the last beat."""
    moment = now()
    values: dict[str, datetime] = {"beat_at": moment}
    if forward:
        values["forward_at"] = moment
    session.execute(update(WorkerRow).where(WorkerRow.id == worker.id).values(**values))
    if model is not None:
        session.execute(update(ModelRow).where(ModelRow.digest == model.digest).values(seen_at=moment))


def deregister(session: Session, worker: WorkerIdentity) -> None:
    """The worker ends on purpose."""
    session.execute(delete(WorkerRow).where(WorkerRow.id == worker.id))


def mark_dead(session: Session, host: str, alive: Callable[[int], bool], worker_timeout: timedelta) -> None:
    """Take workers of this host whose process is gone for silent, without waiting for it.

    A worker's id begins with its host and process id. A restarted container may give the same two to the next one.
    """
    for worker_id in session.scalars(select(WorkerRow.id).where(WorkerRow.id.startswith(f"{host}-", autoescape=True))):
        of, pid, _ = worker_id.rsplit("-", 2)
        if of == host and not alive(int(pid)):
            long_ago = now() - 2 * worker_timeout
            session.execute(update(WorkerRow).where(WorkerRow.id == worker_id).values(beat_at=long_ago))


def delete_lost_workers(session: Session) -> None:
    """Drop the rows of workers that were never heard of again."""
    session.execute(delete(WorkerRow).where(WorkerRow.beat_at < now() - LOST_WORKER_TTL))


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveWorker:
    """A worker that was heard of lately and whose model has done a real forward pass."""

    id: str
    queues: tuple[str, ...]
    slots: int
    started_at: datetime
    model: str | None = None


def live_workers(session: Session, worker_timeout: timedelta, queue: str | None = None) -> list[LiveWorker]:
    """The living workers, all of them or those of one queue."""
    rows = session.execute(
        select(WorkerRow.id, WorkerRow.queues, WorkerRow.slots, WorkerRow.started_at, WorkerRow.model_digest).where(
            WorkerRow.beat_at >= now() - worker_timeout, WorkerRow.forward_at.is_not(None)
        )
    ).all()
    workers = (
        LiveWorker(
            id=row.id,
            queues=tuple(row.queues),
            slots=row.slots,
            started_at=row.started_at,
            model=row.model_digest,
        )
        for row in rows
    )
    return [worker for worker in workers if queue is None or queue in worker.queues]


def count_slots(session: Session, queue: str, worker_timeout: timedelta) -> int:
    """How many stages of a queue its living workers can work on at once."""
    return sum(worker.slots for worker in live_workers(session, worker_timeout, queue))


def registered_models(session: Session) -> tuple[RegisteredModel, ...]:
    """Models in use, newest first.

    In use means seen when any model was last seen: while all workers restart the list stays as it was, and a
    replaced bundle leaves it as soon as workers with the new one report.
    """
    latest = session.scalar(select(func.max(ModelRow.seen_at)))
    if latest is None:
        return ()
    rows = session.scalars(
        select(ModelRow).where(ModelRow.seen_at >= latest - CURRENT_WITHIN).order_by(ModelRow.loaded_at.desc())
    )
    return tuple(RegisteredModel(model=_loaded(row), loaded_at=row.loaded_at) for row in rows)


def _loaded(row: ModelRow) -> LoadedModel:
    return LoadedModel(
        bundle=row.bundle,
        version=row.version,
        digest=row.digest,
        demonstration=row.demonstration,
        tasks=tuple(TaskOutcomes(name=name, outcomes=tuple(outcomes)) for name, outcomes in row.tasks.items()),
        encoders=row.encoders,
    )
