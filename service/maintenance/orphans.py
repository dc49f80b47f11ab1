"""Orphans: objects without a row, left by a process that was killed while it stored or deleted them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from sqlalchemy import select

from service.storage.database import Database, now
from service.storage.objects import ObjectStore
from service.storage.tables import AssessmentRow, UploadRow

MAX_ROWS = 500


def remove_orphans(database: Database, objects: ObjectStore, age: timedelta) -> int:
    """Delete objects whose assessment or upload has no row, and half-written files; returns how many ids and files.

    Only where nothing was stored for `age`, because a recording is stored before its assessment is committed.
    """
    before = now() - age
    removed = 0
    for folder, table in (("assessments", AssessmentRow), ("uploads", UploadRow)):
        # Folders are listed before rows are read: what is committed in between has a row.
        for prefix in _without_row(database, objects.folders(folder), table):
            if _is_older(objects.newest(prefix), before):
                objects.delete(prefix)
                removed += 1
    return removed + objects.delete_unfinished(before)


def _without_row(
    database: Database, prefixes: Sequence[str], table: type[AssessmentRow] | type[UploadRow]
) -> Iterator[str]:
    for start in range(0, len(prefixes), MAX_ROWS):
        ids = {prefix.rpartition("/")[2]: prefix for prefix in prefixes[start : start + MAX_ROWS]}
        with database.reading() as session:
            known = set(session.scalars(select(table.id).where(table.id.in_(ids))))
        yield from (ids[unknown] for unknown in sorted(ids.keys() - known))


def _is_older(moment: datetime | None, before: datetime) -> bool:
    return moment is not None and moment < before
