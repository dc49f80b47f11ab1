"""Files that clients upload ahead of the assessment or batch that uses them."""

from __future__ import annotations

import uuid
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from service.auth.caller import Caller
from service.errors import UploadIncomplete, UploadNotFound, UploadUsed
from service.storage.database import now
from service.storage.objects import upload_key
from service.storage.tables import UploadRow

AT_ONCE = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredUpload:
    """A file of which `offset` of `length` bytes have come; `key` finds its parts, `sha256` is set once complete."""

    id: str
    length: int
    offset: int
    sha256: str | None
    created_at: datetime
    updated_at: datetime
    used_by: str | None

    @property
    def key(self) -> str:
        """Key of the whole file in the object store."""
        return upload_key(self.id)

    @property
    def complete(self) -> bool:
        """Whether every byte has come and the digest is known."""
        return self.sha256 is not None


class UploadRepository:
    """The uploads of one caller's tenant; all others do not exist for it."""

    def __init__(self, session: Session, caller: Caller) -> None:
        self._session = session
        self._caller = caller

    def add(self, length: int) -> StoredUpload:
        """A new upload of so many bytes, none of which has come."""
        moment = now()
        row = UploadRow(
            id=str(uuid.uuid4()),
            tenant=self._caller.tenant,
            length=length,
            offset=0,
            parts=0,
            created_at=moment,
            updated_at=moment,
        )
        self._session.add(row)
        return _stored(row)

    def get(self, upload_id: str) -> StoredUpload:
        """Raises UploadNotFound, also for another tenant's."""
        return _stored(self._row(upload_id))

    def take(self, upload_id: str, used_by: str) -> StoredUpload:
        """Give a complete upload to one user. Raises UploadNotFound, UploadIncomplete, UploadUsed."""
        row = self._row(upload_id, lock=True)
        if row.sha256 is None:
            raise UploadIncomplete("The upload named here is not complete.")
        if row.used_by not in (None, used_by):
            raise UploadUsed("The upload named here was used before.")
        row.used_by = used_by
        row.updated_at = now()
        return _stored(row)

    def lock_many(self, upload_ids: Collection[str]) -> dict[str, StoredUpload]:
        """Those of the uploads that exist, by id, locked in one order so that two batches cannot deadlock."""
        found: dict[str, StoredUpload] = {}
        ids = sorted(upload_ids)
        for start in range(0, len(ids), AT_ONCE):
            query = select(UploadRow).where(
                UploadRow.tenant == self._caller.tenant, UploadRow.id.in_(ids[start : start + AT_ONCE])
            )
            rows = self._session.scalars(query.order_by(UploadRow.id).with_for_update())
            found.update((row.id, _stored(row)) for row in rows)
        return found

    def take_many(self, upload_ids: Collection[str], used_by: str) -> None:
        """Give uploads that were found free under `lock_many` to one user."""
        ids = sorted(upload_ids)
        for start in range(0, len(ids), AT_ONCE):
            self._session.execute(
                update(UploadRow)
                .where(UploadRow.tenant == self._caller.tenant, UploadRow.id.in_(ids[start : start + AT_ONCE]))
                .values(used_by=used_by, updated_at=now())
                .execution_options(synchronize_session=False)
            )

    def _row(self, upload_id: str, *, lock: bool = False) -> UploadRow:
        query = select(UploadRow).where(UploadRow.tenant == self._caller.tenant, UploadRow.id == upload_id)
        row = self._session.scalars(query.with_for_update() if lock else query).one_or_none()
        if row is None:
            raise UploadNotFound("There is no upload with this id.")
        return row


def _stored(row: UploadRow) -> StoredUpload:
    return StoredUpload(
        id=row.id,
        length=row.length,
        offset=row.offset,
        sha256=row.sha256,
        created_at=row.created_at,
        updated_at=row.updated_at,
        used_by=row.used_by,
    )
