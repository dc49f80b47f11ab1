"""Writing an upload part by part: what has come stays, whatever ends the connection or the process."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import timedelta
from time import monotonic
from typing import TypeVar

from service.auth.caller import Caller
from service.errors.not_found import UploadNotFound
from service.errors.request import UploadLocked
from service.errors.tree import InternalError, ServiceError
from service.storage.database import Database
from service.storage.objects import ObjectStore, upload_key
from service.uploads.repository import StoredUpload, UploadLease, UploadRepository, find_upload

PART_BYTES = 8 * 1024 * 1024
"""Largest part: what of a file is in memory at once, and the most that a killed process loses of it."""
RENEWALS_PER_LEASE = 3  # in the time of a lease
HASH_INVALID = -1
Value = TypeVar("Value")


class UploadWriter:
    """One request's right to write to an upload, from where it stands; for one thread at a time.

    `deferred`: the offset moves at `commit` alone, so that `discard` can take all back.
    """

    def __init__(
        self, database: Database, objects: ObjectStore, caller: Caller, lease: timedelta, *, deferred: bool = False
    ) -> None:
        self._database = database
        self._objects = objects
        self._caller = caller
        self._lease = lease
        self._deferred = deferred
        self._lease_held: UploadLease | None = None
        self._end = 0
        self._stored: list[str] = []
        self._hasher = hashlib.sha256()
        self._hashed = 0

    @property
    def remaining(self) -> int:
        """Bytes that may still come."""
        return self._open_lease.length - self._end

    def open(self, upload_id: str, offset: int) -> None:
        """Begin at an offset. Raises UploadNotFound, UploadUsed, UploadOffsetConflict, UploadLocked."""
        self._lease_held = self._write(lambda uploads: uploads.acquire(upload_id, offset, self._lease))
        self._end = offset

    def renew(self) -> bool:
        """Hold on for another lease; False when the upload was taken over or is gone."""
        return self._write(lambda uploads: uploads.renew(self._open_lease, self._lease))

    def store(self, content: bytes) -> None:
        """Store the next bytes, at most PART_BYTES. Raises UploadLocked, UploadNotFound."""
        key = self._open_lease.part_key(self._end)
        self._objects.write(key, content)
        self._stored.append(key)
        if self._hashed == self._end:
            self._hasher.update(content)
            self._hashed += len(content)
        self._end += len(content)
        if not self._deferred:
            self.commit()

    def commit(self) -> None:
        """Count what was stored as come. Raises UploadLocked, UploadNotFound."""
        try:
            self._lease_held = self._write(lambda uploads: uploads.advance(self._open_lease, self._end, self._lease))
        except UploadNotFound:  # deleted in the meantime, before these objects were there
            self._objects.delete(upload_key(self._open_lease.upload_id))
            raise
        except UploadLocked:
            self.discard()
            raise
        self._stored.clear()

    def discard(self) -> None:
        """Take back what was stored and not committed."""
        for key in self._stored:
            self._objects.remove(key)
        if self._stored:
            self._hashed = HASH_INVALID
        self._stored.clear()
        self._end = self._open_lease.offset

    def close(self) -> None:
        """End: a file that is whole gets its digest, any other may be written by others. Raises as `commit` does."""
        upload_lease = self._open_lease
        if upload_lease.offset < upload_lease.length:
            self.release()
            return
        digest = self._hasher.hexdigest() if self._hashed == upload_lease.length else self._digest_of_parts()
        self._write(lambda uploads: uploads.finish(upload_lease, digest))

    def release(self) -> None:
        """Let others write, without any further ado."""
        if (upload_lease := self._lease_held) is not None:
            self._write(lambda uploads: uploads.release(upload_lease))

    def _write(self, work: Callable[[UploadRepository], Value]) -> Value:
        return self._database.write(lambda session: work(UploadRepository(session, self._caller)))

    def _digest_of_parts(self) -> str:
        hasher, size, renewed = hashlib.sha256(), 0, monotonic()
        for chunk in self._objects.stream(upload_key(self._open_lease.upload_id)):
            hasher.update(chunk)
            size += len(chunk)
            if monotonic() - renewed > self._lease.total_seconds() / RENEWALS_PER_LEASE:
                self.renew()
                renewed = monotonic()
        if size != self._open_lease.length:
            raise InternalError("The stored parts of an upload are not the whole of it.")
        return hasher.hexdigest()

    @property
    def _open_lease(self) -> UploadLease:
        if self._lease_held is None:
            raise RuntimeError("the upload was not opened")
        return self._lease_held


def find_and_complete(
    database: Database, objects: ObjectStore, caller: Caller, upload_id: str, lease: timedelta
) -> StoredUpload:
    """The upload as it stands; finishes one whose last writer died between the last byte and the digest.

    Raises UploadNotFound.
    """
    upload = find_upload(database, caller, upload_id)
    if upload.complete or upload.offset < upload.length:
        return upload
    writer = UploadWriter(database, objects, caller, lease)
    try:
        writer.open(upload_id, upload.offset)
    except UploadLocked:  # the last writer is at it
        return upload
    try:
        writer.close()
    except ServiceError:
        writer.release()
        raise
    return find_upload(database, caller, upload_id)
