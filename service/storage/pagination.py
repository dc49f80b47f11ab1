"""Where a list goes on: opaque to clients, the moment and id of the last item they have seen."""

from __future__ import annotations

import base64
import binascii
from datetime import datetime

from service.errors.request import InvalidRequest
from service.errors.tree import FieldProblem


def encode_cursor(created_at: datetime, item_id: str) -> str:
    """The cursor that goes on after this item."""
    return base64.urlsafe_b64encode(f"{created_at.isoformat()}|{item_id}".encode()).decode()


def decode_cursor(cursor: str) -> tuple[datetime, str]:
    """Moment and id of the last item seen. Raises InvalidRequest for a cursor that is none of ours."""
    try:
        moment, _, last_id = base64.urlsafe_b64decode(cursor.encode()).decode().partition("|")
        created_at = datetime.fromisoformat(moment)
        if created_at.tzinfo is None:
            raise ValueError
    except (ValueError, binascii.Error) as error:
        problem = FieldProblem(location="query.cursor", reason="is not a cursor that this service gave out")
        raise InvalidRequest("The cursor is not valid.", fields=(problem,)) from error
    return created_at, last_id
