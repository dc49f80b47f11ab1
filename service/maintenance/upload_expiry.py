"""Uploads end: those nobody used by their age, the others with what used them."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import ColumnElement, delete, exists, or_, select

from service.storage.database import Database, now
from service.storage.lease import is_free
from service.storage.objects import ObjectStore, upload_key
from service.storage.tables import AssessmentRow, BatchRow, UploadRow

MAX_ROWS = 100


def expire_uploads(database: Database, objects: ObjectStore, age: timedelta) -> int:
    """Delete uploads to which nothing came for `age`, but for those still needed; returns how many.

    One is needed while it is being written, and while an assessment or batch that took it has not ended and given
    its material up. The row goes first: without it nobody can take the upload any more.
    """
    moment = now()
    aged = (
        UploadRow.updated_at < moment - age,
        is_free(UploadRow, moment),
        ~_in_use(),
    )
    with database.writing() as session:
        some = select(UploadRow.id).where(*aged).limit(MAX_ROWS).with_for_update(skip_locked=True)
        expired = list(session.scalars(some))
        session.execute(delete(UploadRow).where(UploadRow.id.in_(expired)).execution_options(synchronize_session=False))
    for upload_id in expired:
        objects.delete(upload_key(upload_id))
    return len(expired)


def _in_use() -> ColumnElement[bool]:
    """By the assessment or batch in `used_by`, or by an assessment of that batch."""
    assessment = exists().where(
        or_(AssessmentRow.id == UploadRow.used_by, AssessmentRow.batch_id == UploadRow.used_by),
        AssessmentRow.material_removed_at.is_(None),
    )
    batch = exists().where(BatchRow.id == UploadRow.used_by, BatchRow.finished_at.is_(None))
    return or_(assessment, batch)
