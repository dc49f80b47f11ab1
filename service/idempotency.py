"""Idempotency keys: a request leases its key while it runs; once completed, the key replays its response."""

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
    """The response to replay: status, `Location` and the body as JSON."""

    status: int
    location: str | None
    body: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CompletedRequest:
    """A request that completed under the key."""

    route: str
    digest: str
    response: StoredResponse


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyLease:
    """The right of one request to complete a key, until its lease expires."""

    tenant: str
    key: str
    route: str
    owner: str


def acquire_key(
    database: Database, caller: Caller, key: str, route: str, lease: timedelta
) -> KeyLease | CompletedRequest:
    """Lease the key, or read its completed request. Raises IdempotencyInFlight while another request holds it."""
    # Read first: a replay then needs no write lock.
    completed = database.read(lambda session: _find_completed(session, caller.tenant, key))
    if completed is not None:
        return completed
    key_lease = KeyLease(tenant=caller.tenant, key=key, route=_bounded_route(route), owner=str(uuid.uuid4()))

    def take(session: Session) -> KeyLease | CompletedRequest:
        if _insert_lease(session, key_lease, lease):
            return key_lease
        completed = _find_completed(session, caller.tenant, key)
        if completed is None:  # released between the insert and this read
            raise IdempotencyInFlight("The first request with this key has not been answered yet.")
        return completed

    return database.write(take)


def renew_key(database: Database, key_lease: KeyLease, lease: timedelta) -> bool:
    """Extend the lease; False when another request holds the key."""
    renewal = (
        update(IdempotencyRow)
        .where(*_mine(key_lease))
        .values(lease_until=now() + lease)
        .returning(IdempotencyRow.key)
        .execution_options(synchronize_session=False)
    )
    return bool(database.write(lambda session: session.scalars(renewal).all()))


def complete_key(session: Session, key_lease: KeyLease, digest: str, response: StoredResponse) -> None:
    """Store the response, in the transaction of its effect.

    Raises IdempotencyInFlight when another request holds the key, so that the effect is rolled back.
    """
    completed = session.scalars(
        update(IdempotencyRow)
        .where(*_mine(key_lease))
        .values(digest=digest, status=response.status, location=response.location, body=response.body)
        .returning(IdempotencyRow.key)
        .execution_options(synchronize_session=False)
    ).all()
    if not completed:
        raise IdempotencyInFlight("The request took too long, and another one with its key has begun.")


def release_key(database: Database, key_lease: KeyLease) -> None:
    """Delete the lease, unless the key is completed or another request holds it."""
    release = delete(IdempotencyRow).where(*_mine(key_lease)).execution_options(synchronize_session=False)
    database.write(lambda session: session.execute(release))


def delete_expired_keys(database: Database, age: timedelta) -> int:
    """Delete keys that are older than `age` and not leased; returns how many."""
    moment = now()
    with database.writing() as session:
        deleted = session.scalars(
            delete(IdempotencyRow)
            .where(
                IdempotencyRow.created_at < moment - age,
                or_(IdempotencyRow.status.is_not(None), is_expired(IdempotencyRow, moment)),
            )
            .returning(IdempotencyRow.key)
            .execution_options(synchronize_session=False)
        ).all()
    return len(deleted)


def is_same_route(completed: CompletedRequest, route: str) -> bool:
    """Whether the completed request had this route."""
    return completed.route == _bounded_route(route)


def _insert_lease(session: Session, key_lease: KeyLease, lease: timedelta) -> bool:
    moment = now()
    held = {
        IdempotencyRow.route: key_lease.route,
        IdempotencyRow.owner: key_lease.owner,
        IdempotencyRow.lease_until: moment + lease,
        IdempotencyRow.created_at: moment,
    }
    # One statement, so that of many requests at once exactly one inserts the row or takes it over.
    taken = session.scalars(
        insert_into(session, IdempotencyRow)
        .values({IdempotencyRow.tenant: key_lease.tenant, IdempotencyRow.key: key_lease.key, **held})
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
        response = StoredResponse(status=row.status, location=row.location, body=row.body)
        return CompletedRequest(route=row.route, digest=row.digest or "", response=response)
    if row.lease_until >= now():
        raise IdempotencyInFlight("The first request with this key has not been answered yet.")
    return None


def _mine(key_lease: KeyLease) -> tuple[ColumnElement[bool], ...]:
    return (
        IdempotencyRow.tenant == key_lease.tenant,
        IdempotencyRow.key == key_lease.key,
        is_owned_by(IdempotencyRow, key_lease.owner),
        IdempotencyRow.status.is_(None),
    )


def _bounded_route(route: str) -> str:
    # A path may be longer than the column, and routes are only compared.
    return route if len(route) <= MAX_ROUTE_LENGTH else hashlib.sha256(route.encode()).hexdigest()
