"""Pages of a list, newest first, with an opaque cursor: the moment and id of the last item that the client has seen."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

from sqlalchemy import Select, and_, or_
from sqlalchemy.orm import Session

from service.errors.request import InvalidRequest
from service.errors.tree import FieldProblem
from service.storage.tables import AssessmentRow, BatchRow

Row = TypeVar("Row", AssessmentRow, BatchRow)
Item = TypeVar("Item")


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[Item]):
    """Some items, newest first; `next_cursor` is None on the last page."""

    items: tuple[Item, ...]
    next_cursor: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PageRequest:
    """The page that a client asked for: at most `limit` items after the cursor, or the first ones without it."""

    limit: int
    cursor: str | None


def fetch_page(
    session: Session, query: Select[Row], table: type[Row], page: PageRequest, build: Callable[[Row], Item]
) -> Page[Item]:
    """One page of the query's rows. Raises InvalidRequest for a cursor that this service did not issue."""
    # One row more than the page holds tells whether another page follows, without a second query.
    query = query.order_by(table.created_at.desc(), table.id.desc()).limit(page.limit + 1)
    if page.cursor is not None:
        created_at, last_id = decode_cursor(page.cursor)
        # Not OFFSET: rows that are inserted or erased between two pages would shift the following page.
        older = and_(table.created_at == created_at, table.id < last_id)
        query = query.where(or_(table.created_at < created_at, older))
    rows = session.scalars(query).all()
    last = rows[page.limit - 1] if len(rows) > page.limit else None
    return Page(
        items=tuple(build(row) for row in rows[: page.limit]),
        next_cursor=None if last is None else encode_cursor(last.created_at, last.id),
    )


def encode_cursor(created_at: datetime, item_id: str) -> str:
    """The cursor of the page that follows this item."""
    return base64.urlsafe_b64encode(f"{created_at.isoformat()}|{item_id}".encode()).decode()


def decode_cursor(cursor: str) -> tuple[datetime, str]:
    """Moment and id of the last item seen. Raises InvalidRequest for a cursor that this service did not issue."""
    try:
        moment, _, last_id = base64.urlsafe_b64decode(cursor.encode()).decode().partition("|")
        created_at = datetime.fromisoformat(moment)
        # The column type refuses a moment without a zone, and a forged cursor must not be a server error.
        if created_at.tzinfo is None:
            raise ValueError
    except (ValueError, binascii.Error) as error:
        problem = FieldProblem(location="query.cursor", reason="is not a cursor that this service gave out")
        raise InvalidRequest("The cursor is not valid.", fields=(problem,)) from error
    return created_at, last_id
