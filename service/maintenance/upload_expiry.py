"""Expiry of uploads: unused ones by age, used ones after the assessment or batch that used them."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import ColumnElement, delete, exists, or_, select

from service.storage.database import Database, now
from service.storage.lease import is_free
from service.storage.objects import ObjectStore, upload_key
from service.storage.tables import AssessmentRow, BatchRow, UploadRow

MAX_ROWS = 100


def expire_uploads(database: Database, objects: ObjectStore, age: timedelta) -> int:
    """Delete uploads that were not written to for `age` and are not in use; returns how many.

    An upload is in use while a request writes to it, and while the assessment or batch that took it keeps its material.
    """
    moment = now()
    aged = (
        UploadRow.updated_at < moment - age,
        is_free(UploadRow, moment),
        ~_in_use(),
    )
    # The row goes first: without it no request can take the upload. Objects left by a crash become orphans.
    with database.writing() as session:
        # A locked upload is being written to or claimed at this moment, so it is not expired.
        some = select(UploadRow.id).where(*aged).limit(MAX_ROWS).with_for_update(skip_locked=True)
        expired = list(session.scalars(some))
        session.execute(delete(UploadRow).where(UploadRow.id.in_(expired)).execution_options(synchronize_session=False))
    for upload_id in expired:
        objects.delete(upload_key(upload_id))
    return len(expired)


def _in_use() -> ColumnElement[bool]:
    """Used by the assessment or batch in `used_by`, or by an assessment of that batch."""
    assessment = exists().where(
        or_(AssessmentRow.id == UploadRow.used_by, AssessmentRow.batch_id == UploadRow.used_by),
        AssessmentRow.material_removed_at.is_(None),
    )
    batch = exists().where(BatchRow.id == UploadRow.used_by, BatchRow.finished_at.is_(None))
    return or_(assessment, batch)
