"""The worker registry: heartbeats, served queues and loaded models."""

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
"""How long the row of a dead worker is kept; `reclaim` needs it to recognise the worker's stages."""
CURRENT_WITHIN = timedelta(minutes=1)
"""A model is in use when it was seen this close to the latest heartbeat of any model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskOutcomes:
    """A task and its classes, in the model's order."""

    name: str
    outcomes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedModel:
    """A bundle as a worker loaded it, identified by its digest."""

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
    """Register a worker whose model has done a real forward pass; a webhook worker has no model."""
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
    values = {
        "bundle": model.bundle,
        "version": model.version,
        "demonstration": model.demonstration,
        "tasks": {task.name: list(task.outcomes) for task in model.tasks},
        "encoders": dict(model.encoders),
        "loaded_at": moment,
        "seen_at": moment,
    }
    # An upsert: workers that start together all find the model unregistered.
    session.execute(
        insert_into(session, ModelRow)
        .values(digest=model.digest, **values)
        .on_conflict_do_update(index_elements=[ModelRow.digest], set_=values)
    )


def record_heartbeat(session: Session, worker: WorkerIdentity, model: LoadedModel | None, *, forward: bool) -> None:
    """Record that the worker is alive; `forward` when its model has computed since the last heartbeat.

    A worker whose row was deleted as lost, after a day without the database, is registered again.
    """
    moment = now()
    values: dict[str, datetime] = {"beat_at": moment}
    if forward:
        values["forward_at"] = moment
    beaten = update(WorkerRow).where(WorkerRow.id == worker.id).values(**values).returning(WorkerRow.id)
    if session.scalar(beaten) is None:
        register(session, worker, model)
    elif model is not None:
        session.execute(update(ModelRow).where(ModelRow.digest == model.digest).values(seen_at=moment))


def deregister(session: Session, worker: WorkerIdentity) -> None:
    """Delete the row of a worker that ends on purpose."""
    session.execute(delete(WorkerRow).where(WorkerRow.id == worker.id))


def mark_dead(session: Session, host: str, alive: Callable[[int], bool], worker_timeout: timedelta) -> None:
    """Mark workers on this host as dead when their process has exited, without waiting for `worker_timeout`.

    A worker's id begins with its host name and process id. A restarted container may give both to the next worker, so
    `alive` must not count the calling process.
    """
    for worker_id in session.scalars(select(WorkerRow.id).where(WorkerRow.id.startswith(f"{host}-", autoescape=True))):
        # The host name may hold hyphens itself, so the id is split from its end.
        of, pid, _ = worker_id.rsplit("-", 2)
        if of == host and not alive(int(pid)):
            # The row stays, because the sweeper recognises the stages of a dead worker by it.
            long_ago = now() - 2 * worker_timeout
            session.execute(update(WorkerRow).where(WorkerRow.id == worker_id).values(beat_at=long_ago))


def delete_lost_workers(session: Session) -> None:
    """Delete the rows of workers without a heartbeat for `LOST_WORKER_TTL`."""
    session.execute(delete(WorkerRow).where(WorkerRow.beat_at < now() - LOST_WORKER_TTL))


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveWorker:
    """A worker with a recent heartbeat whose model has done a real forward pass."""

    id: str
    queues: tuple[str, ...]
    slots: int
    started_at: datetime
    model: str | None = None


def live_workers(session: Session, worker_timeout: timedelta, queue: str | None = None) -> list[LiveWorker]:
    """The live workers, of all queues or of one."""
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
    """Slots of the live workers of a queue: how many of its stages can run at once."""
    return sum(worker.slots for worker in live_workers(session, worker_timeout, queue))


def registered_models(session: Session) -> tuple[RegisteredModel, ...]:
    """Models in use, newest first.

    A model is in use when it was seen about when any model was last seen. So the list does not change while all workers
    restart, and a replaced bundle leaves it as soon as workers with the new one send heartbeats.
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
