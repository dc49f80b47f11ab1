"""One key, one effect: a request holds its client's key while at work; afterwards the key repeats the answer."""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import ColumnElement, delete, or_, select, update
from sqlalchemy.orm import Session

from service.auth.caller import Caller
from service.errors.request import IdempotencyInFlight
from service.storage.conflicts import insert_into
from service.storage.database import Database, now
from service.storage.lease import is_expired, is_owned_by
from service.storage.tables import IdempotencyRow

MAX_ROUTE_LENGTH = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredResponse:
    """What a client was told: the status, where to look, and the body as JSON."""

    status: int
    location: str | None
    body: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CompletedRequest:
    """A request that was answered before under the same key."""

    route: str
    digest: str
    answer: StoredResponse


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyLease:
    """The right of one request to complete a key."""

    tenant: str
    key: str
    route: str
    owner: str


def acquire_key(
    database: Database, caller: Caller, key: str, route: str, lease: timedelta
) -> KeyLease | CompletedRequest:
    """Take the key for a lease, or find the answer it has already. Raises IdempotencyInFlight."""
    earlier = database.read(
        lambda session: _find_completed(session, caller.tenant, key)
    )  # most repetitions need no lock
    if earlier is not None:
        return earlier
    hold = KeyLease(tenant=caller.tenant, key=key, route=_bounded_route(route), owner=str(uuid.uuid4()))

    def take(session: Session) -> KeyLease | CompletedRequest:
        if _insert_lease(session, hold, lease):
            return hold
        found = _find_completed(session, caller.tenant, key)
        if found is None:  # freed at this very moment
            raise IdempotencyInFlight("The first request with this key has not been answered yet.")
        return found

    return database.write(take)


def renew_key(database: Database, hold: KeyLease, lease: timedelta) -> bool:
    """Hold on for another lease; False when another request has taken the key over."""
    renewal = (
        update(IdempotencyRow)
        .where(*_mine(hold))
        .values(lease_until=now() + lease)
        .returning(IdempotencyRow.key)
        .execution_options(synchronize_session=False)
    )
    return bool(database.write(lambda session: session.scalars(renewal).all()))


def complete_key(session: Session, hold: KeyLease, digest: str, answer: StoredResponse) -> None:
    """Keep the answer, in the transaction of what it tells of. Raises IdempotencyInFlight when taken over."""
    completed = session.scalars(
        update(IdempotencyRow)
        .where(*_mine(hold))
        .values(digest=digest, status=answer.status, location=answer.location, body=answer.body)
        .returning(IdempotencyRow.key)
        .execution_options(synchronize_session=False)
    ).all()
    if not completed:
        raise IdempotencyInFlight("The request took too long, and another one with its key has begun.")


def release_key(database: Database, hold: KeyLease) -> None:
    """Give the key back, unless it has its answer or another request holds it."""
    freeing = delete(IdempotencyRow).where(*_mine(hold)).execution_options(synchronize_session=False)
    database.write(lambda session: session.execute(freeing))


def delete_expired_keys(database: Database, age: timedelta) -> int:
    """Delete keys first seen longer ago than `age`, but for those a request still holds; returns how many."""
    moment = now()
    with database.writing() as session:
        forgotten = session.scalars(
            delete(IdempotencyRow)
            .where(
                IdempotencyRow.created_at < moment - age,
                or_(IdempotencyRow.status.is_not(None), is_expired(IdempotencyRow, moment)),
            )
            .returning(IdempotencyRow.key)
            .execution_options(synchronize_session=False)
        ).all()
    return len(forgotten)


def is_same_route(earlier: CompletedRequest, route: str) -> bool:
    """Whether the earlier request went to this route."""
    return earlier.route == _bounded_route(route)


def _insert_lease(session: Session, hold: KeyLease, lease: timedelta) -> bool:
    moment = now()
    held = {
        IdempotencyRow.route: hold.route,
        IdempotencyRow.owner: hold.owner,
        IdempotencyRow.lease_until: moment + lease,
        IdempotencyRow.created_at: moment,
    }
    taken = session.scalars(
        insert_into(session, IdempotencyRow)
        .values({IdempotencyRow.tenant: hold.tenant, IdempotencyRow.key: hold.key, **held})
        .on_conflict_do_update(
            index_elements=[IdempotencyRow.tenant, IdempotencyRow.key],
            set_=held,
            where=IdempotencyRow.status.is_(None) & is_expired(IdempotencyRow, moment),
        )
        .returning(IdempotencyRow.key)
    ).all()
    return bool(taken)


def _find_completed(session: Session, tenant: str, key: str) -> CompletedRequest | None:
    row = session.scalars(
        select(IdempotencyRow).where(IdempotencyRow.tenant == tenant, IdempotencyRow.key == key)
    ).one_or_none()
    if row is None:
        return None
    if row.status is not None:
        answer = StoredResponse(status=row.status, location=row.location, body=row.body)
        return CompletedRequest(route=row.route, digest=row.digest or "", answer=answer)
    if row.lease_until >= now():
        raise IdempotencyInFlight("The first request with this key has not been answered yet.")
    return None


def _mine(hold: KeyLease) -> tuple[ColumnElement[bool], ...]:
    return (
        IdempotencyRow.tenant == hold.tenant,
        IdempotencyRow.key == hold.key,
        is_owned_by(IdempotencyRow, hold.owner),
        IdempotencyRow.status.is_(None),
    )


def _bounded_route(route: str) -> str:
    return route if len(route) <= MAX_ROUTE_LENGTH else hashlib.sha256(route.encode()).hexdigest()
