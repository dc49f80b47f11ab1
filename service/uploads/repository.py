"""Resumable uploads of a caller, and the lease under which one request writes."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from math import ceil

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.orm import Session

from service.auth.caller import Caller
from service.errors.not_found import UploadNotFound
from service.errors.request import UploadIncomplete, UploadLocked, UploadOffsetConflict, UploadUsed
from service.storage.database import Database, now
from service.storage.lease import is_owned_by
from service.storage.objects import part_key, upload_key
from service.storage.tables import UploadRow

IDS_PER_QUERY = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredUpload:
    """An upload with `offset` of `length` bytes received; `sha256` is set once it is complete."""

    id: str
    length: int
    offset: int
    sha256: str | None
    created_at: datetime
    updated_at: datetime
    used_by: str | None

    @property
    def key(self) -> str:
        """Key of the file in the object store, which is the prefix of its parts."""
        return upload_key(self.id)

    @property
    def complete(self) -> bool:
        """Whether all bytes were received and the digest is known."""
        return self.sha256 is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadLease:
    """The right of one request to write from `offset` on; `fence` is higher than that of every earlier lease."""

    upload_id: str
    owner: str
    fence: int
    offset: int
    length: int

    def part_key(self, offset: int) -> str:
        """Key of the part that begins at `offset`. The fence keeps a stale writer from overwriting it."""
        return part_key(self.upload_id, offset, self.fence)


class UploadRepository:
    """The uploads of one caller's tenant; those of other tenants raise UploadNotFound."""

    def __init__(self, session: Session, caller: Caller) -> None:
        self._session = session
        self._caller = caller

    def add(self, length: int) -> StoredUpload:
        """Insert an upload of `length` bytes."""
        moment = now()
        row = UploadRow(
            id=str(uuid.uuid4()),
            tenant=self._caller.tenant,
            length=length,
            offset=0,
            fence=0,
            created_at=moment,
            updated_at=moment,
        )
        self._session.add(row)
        return _stored(row)

    def get(self, upload_id: str) -> StoredUpload:
        """Raises UploadNotFound, also for another tenant's."""
        return _stored(self._row(upload_id))

    def claim(self, upload_id: str, used_by: str) -> StoredUpload:
        """Assign a complete upload to `used_by`. Raises UploadNotFound, UploadIncomplete, UploadUsed."""
        row = self._row(upload_id, lock=True)
        if row.sha256 is None:
            raise UploadIncomplete("The upload named here is not complete.")
        if row.used_by not in (None, used_by):
            raise UploadUsed("The upload named here was used before.")
        row.used_by = used_by
        row.updated_at = now()
        return _stored(row)

    def find_many(self, upload_ids: Collection[str], *, lock: bool) -> dict[str, StoredUpload]:
        """The uploads that exist, by id; locked in the order of ids, so that two batches cannot deadlock."""
        uploads: dict[str, StoredUpload] = {}
        ids = sorted(upload_ids)
        for start in range(0, len(ids), IDS_PER_QUERY):
            query = select(UploadRow).where(
                UploadRow.tenant == self._caller.tenant, UploadRow.id.in_(ids[start : start + IDS_PER_QUERY])
            )
            query = query.order_by(UploadRow.id)
            rows = self._session.scalars(query.with_for_update() if lock else query)
            uploads.update((row.id, _stored(row)) for row in rows)
        return uploads

    def claim_many(self, upload_ids: Collection[str], used_by: str) -> None:
        """Assign uploads that `find_many` locked, and that nothing uses, to `used_by`."""
        ids = sorted(upload_ids)
        for start in range(0, len(ids), IDS_PER_QUERY):
            self._session.execute(
                update(UploadRow)
                .where(UploadRow.tenant == self._caller.tenant, UploadRow.id.in_(ids[start : start + IDS_PER_QUERY]))
                .values(used_by=used_by, updated_at=now())
                .execution_options(synchronize_session=False)
            )

    def claim_all(self, upload_ids: Sequence[str], used_by: str) -> None:
        """Claim several, in the order of ids, so that two requests for the same uploads cannot deadlock."""
        for upload_id in sorted(set(upload_ids)):
            self.claim(upload_id, used_by)

    def acquire(self, upload_id: str, offset: int, lease: timedelta) -> UploadLease:
        """Acquire the lease at `offset`. Raises UploadNotFound, UploadUsed, UploadOffsetConflict, UploadLocked."""
        row = self._row(upload_id, lock=True)
        moment = now()
        if row.used_by is not None:
            raise UploadUsed("The upload was used and no longer changes.")
        if row.owner is not None and row.lease_until is not None and row.lease_until > moment:
            locked = UploadLocked("Another request is writing to this upload.")
            locked.retry_after = ceil((row.lease_until - moment).total_seconds())
            raise locked
        if row.offset != offset:
            raise UploadOffsetConflict("The bytes sent do not begin where the stored ones end.")
        row.owner, row.lease_until = str(uuid.uuid4()), moment + lease
        # Parts are named by it, so a stopped writer that resumes overwrites nothing of its successor's (decision 0026).
        row.fence += 1
        return UploadLease(upload_id=row.id, owner=row.owner, fence=row.fence, offset=row.offset, length=row.length)

    def renew(self, upload_lease: UploadLease, lease: timedelta) -> bool:
        """Extend the lease; False when another request holds it or the upload is gone."""
        return self._update(upload_lease, lease_until=now() + lease)

    def advance(self, upload_lease: UploadLease, offset: int, lease: timedelta) -> UploadLease:
        """Record that all bytes up to `offset` are in the object store. Raises UploadLocked, UploadNotFound."""
        moment = now()
        self._update_or_raise(upload_lease, offset=offset, updated_at=moment, lease_until=moment + lease)
        return replace(upload_lease, offset=offset)

    def finish(self, upload_lease: UploadLease, sha256: str) -> None:
        """Complete the upload with the digest of its bytes. Raises UploadLocked, UploadNotFound."""
        moment = now()
        self._update_or_raise(
            upload_lease, sha256=sha256, completed_at=moment, updated_at=moment, owner=None, lease_until=None
        )

    def release(self, upload_lease: UploadLease) -> None:
        """Release the lease, unless another request holds it."""
        self._update(upload_lease, owner=None, lease_until=None)

    def delete(self, upload_id: str) -> None:
        """Delete the row; the caller deletes the objects afterwards. Raises UploadNotFound, UploadUsed."""
        row = self._row(upload_id, lock=True)
        if row.used_by is not None:
            raise UploadUsed("The upload was used: it is deleted with what uses it.")
        self._session.delete(row)

    def _update_or_raise(self, upload_lease: UploadLease, **values: object) -> None:
        if not self._update(upload_lease, **values):
            # Raises UploadNotFound when the upload is gone; otherwise another request holds it.
            self._row(upload_lease.upload_id)
            raise UploadLocked("The request was silent for too long, and another one writes to this upload.")

    def _update(self, upload_lease: UploadLease, **values: object) -> bool:
        changed = self._session.scalars(
            update(UploadRow)
            .where(*self._held(upload_lease))
            .values(**values)
            .returning(UploadRow.id)
            .execution_options(synchronize_session=False)
        ).all()
        return bool(changed)

    def _held(self, upload_lease: UploadLease) -> tuple[ColumnElement[bool], ...]:
        return (
            UploadRow.id == upload_lease.upload_id,
            UploadRow.tenant == self._caller.tenant,
            is_owned_by(UploadRow, upload_lease.owner),
            # The offset too: a repeated or late write must not move it back (decision 0026).
            UploadRow.offset == upload_lease.offset,
        )

    def _row(self, upload_id: str, *, lock: bool = False) -> UploadRow:
        query = select(UploadRow).where(UploadRow.tenant == self._caller.tenant, UploadRow.id == upload_id)
        row = self._session.scalars(query.with_for_update() if lock else query).one_or_none()
        if row is None:
            raise UploadNotFound("There is no upload with this id.")
        return row


def find_upload(database: Database, caller: Caller, upload_id: str) -> StoredUpload:
    """Read an upload in its own transaction. Raises UploadNotFound, also for another tenant's."""
    return database.read(lambda session: UploadRepository(session, caller).get(upload_id))


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
