"""The output and the errors of a batch, as JSON lines.

Both are generated from the assessments, some lines at a time, at any moment. The files of a finished batch hold the
same lines, written once.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

from sqlalchemy import select

from service.assessments.states import State
from service.storage.database import Database
from service.storage.objects import ObjectStore
from service.storage.tables import AssessmentRow

LINES_PER_QUERY = 100
CANCELLED_ADVICE = "Send the line again if it is still wanted."

LineSource = Callable[[Database, ObjectStore, str, int, int], Iterator[bytes]]


def result_lines(database: Database, objects: ObjectStore, batch_id: str, after: int, last: int) -> Iterator[bytes]:
    """The results of the lines in (`after`, `last`] that have one, each as a line of JSON."""
    for row in _rows(database, batch_id, after, last, (State.SUCCEEDED, State.ABSTAINED)):
        try:
            result = json.loads(objects.get(row.result_key or ""))
        except FileNotFoundError:  # erased since the row was read
            continue
        yield _json_line({**_line_fields(row), "result": result})


def error_lines(database: Database, objects: ObjectStore, batch_id: str, after: int, last: int) -> Iterator[bytes]:  # noqa: ARG001 - one shape for both
    """The failed and cancelled lines in (`after`, `last`], each as a line of JSON."""
    for row in _rows(database, batch_id, after, last, (State.FAILED, State.CANCELLED)):
        yield _json_line({**_line_fields(row), "error": _error(row)})


def stream_lines(
    between: LineSource, database: Database, objects: ObjectStore, batch_id: str, lines: int
) -> Iterator[bytes]:
    """All lines up to the number `lines`, in bounded memory and without an open transaction between queries."""
    for start in range(0, lines, LINES_PER_QUERY):
        yield b"".join(between(database, objects, batch_id, start, min(lines, start + LINES_PER_QUERY)))


def stream_file(objects: ObjectStore, key: str) -> Iterator[bytes]:
    """A stored file, part by part."""
    for part in objects.list(key):
        yield objects.get(part)


def last_line_number(database: Database, batch_id: str) -> int:
    """The highest line number. Blank lines count, so it may exceed the number of assessments."""
    with database.reading() as session:
        query = select(AssessmentRow.batch_line).where(AssessmentRow.batch_id == batch_id)
        return session.scalar(query.order_by(AssessmentRow.batch_line.desc()).limit(1)) or 0


def _rows(database: Database, batch_id: str, after: int, last: int, states: tuple[State, ...]) -> list[AssessmentRow]:
    with database.reading() as session:
        return list(
            session.scalars(
                select(AssessmentRow)
                .where(
                    AssessmentRow.batch_id == batch_id,
                    AssessmentRow.batch_line > after,
                    AssessmentRow.batch_line <= last,
                    AssessmentRow.state.in_(states),
                )
                .order_by(AssessmentRow.batch_line)
            )
        )


def _line_fields(row: AssessmentRow) -> dict[str, object]:
    return {"custom_id": row.custom_id, "line": row.batch_line, "assessment": row.id, "state": row.state}


def _error(row: AssessmentRow) -> dict[str, object]:
    if row.state == State.CANCELLED:
        detail = "The line was cancelled before it had ended."
        return {"code": "cancelled", "detail": detail, "advice": CANCELLED_ADVICE, "retryable": True}
    return {
        "code": row.failure_code,
        "detail": row.failure_detail,
        "advice": row.failure_advice,
        "retryable": bool(row.failure_retryable),
    }


def _json_line(value: dict[str, object]) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
