"""Leases as SQL predicates: who may write a row, and until when.

A lease is an owner and the moment until which the owner may go without renewing it. Stages and deliveries also have a
state and a fence: the fence rises with every claim, so a worker that lost its lease and wakes up late cannot write.
All hosts compare `lease_until` with their own clock, so clocks must agree to well within a lease.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ColumnElement, and_, or_

from service.storage.tables import DeliveryRow, IdempotencyRow, LeadershipRow, StageRow, UploadRow

LeasedTable = type[StageRow] | type[DeliveryRow] | type[IdempotencyRow] | type[UploadRow] | type[LeadershipRow]
QueueTable = type[StageRow] | type[DeliveryRow]
LEASED = "leased"
"""State of a stage or delivery that a worker has claimed."""


def is_expired(table: LeasedTable, moment: datetime) -> ColumnElement[bool]:
    """The owner did not renew in time, so anybody may take the row over."""
    return table.lease_until < moment


def is_free(table: LeasedTable, moment: datetime) -> ColumnElement[bool]:
    """Nobody owns the row, or its lease has expired."""
    return or_(table.lease_until.is_(None), is_expired(table, moment))


def is_owned_by(table: LeasedTable, owner: str) -> ColumnElement[bool]:
    """This owner took the row last. An expired lease still counts: it is safe until somebody else takes the row."""
    return table.owner == owner


def is_due(table: QueueTable, moment: datetime) -> ColumnElement[bool]:
    """The delay before the next attempt is over."""
    return or_(table.not_before.is_(None), table.not_before <= moment)


def is_claimable(table: QueueTable, ready: str, moment: datetime) -> ColumnElement[bool]:
    """In the state `ready` and due, or claimed under a lease that has expired.

    An expired lease is claimed directly, without waiting for the sweeper to return the row first.
    """
    expired = and_(table.state == LEASED, is_expired(table, moment))
    return or_(and_(table.state == ready, is_due(table, moment)), expired)


def is_claimed(table: QueueTable, row_id: str, fence: int) -> ColumnElement[bool]:
    """The claim with this fence still stands: no later claim, cancellation or completion has replaced it."""
    return and_(table.id == row_id, table.fence == fence, table.state == LEASED)
