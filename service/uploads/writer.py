"""Write an upload part by part; stored parts survive the end of the connection and of the process."""

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
"""Maximum size of a part: bytes of a file in memory, and the most that a killed process loses."""
RENEWALS_PER_LEASE = 3  # a renewal that fails is repeated before the lease expires
HASH_INVALID = -1  # never equal to an offset: the digest is then read back from the stored parts
Value = TypeVar("Value")


class UploadWriter:
    """Writes to one upload for one request, under a lease; used by one thread at a time.

    With `deferred` the offset moves only in `commit`, so that `discard` can remove everything before it.
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
        """Bytes that the upload still lacks."""
        return self._open_lease.length - self._end

    def open(self, upload_id: str, offset: int) -> None:
        """Acquire the lease at `offset`. Raises UploadNotFound, UploadUsed, UploadOffsetConflict, UploadLocked."""
        self._lease_held = self._write(lambda uploads: uploads.acquire(upload_id, offset, self._lease))
        self._end = offset

    def renew(self) -> bool:
        """Extend the lease; False when another request holds it or the upload is gone."""
        return self._write(lambda uploads: uploads.renew(self._open_lease, self._lease))

    def store(self, content: bytes) -> None:
        """Store the next bytes, at most PART_BYTES. Raises UploadLocked, UploadNotFound."""
        key = self._open_lease.part_key(self._end)
        # Stored before the offset moves: the row never counts bytes that are not in the store.
        self._objects.write(key, content)
        self._stored.append(key)
        # The digest grows while this writer sees the file from its first byte; a resumed file is read back in `close`.
        if self._hashed == self._end:
            self._hasher.update(content)
            self._hashed += len(content)
        self._end += len(content)
        if not self._deferred:
            self.commit()

    def commit(self) -> None:
        """Move the offset past the stored parts. Raises UploadLocked, UploadNotFound."""
        try:
            self._lease_held = self._write(lambda uploads: uploads.advance(self._open_lease, self._end, self._lease))
        except UploadNotFound:  # the upload was deleted before these objects were stored
            self._objects.delete(upload_key(self._open_lease.upload_id))
            raise
        # Another request has taken the upload over, and its reader never looks at these parts (decision 0026).
        except UploadLocked:
            self.discard()
            raise
        self._stored.clear()

    def discard(self) -> None:
        """Remove the parts that were stored and not committed."""
        for key in self._stored:
            self._objects.remove(key)
        if self._stored:
            self._hashed = HASH_INVALID
        self._stored.clear()
        self._end = self._open_lease.offset

    def close(self) -> None:
        """Complete a full upload with its digest, or release the lease of a partial one.

        Raises UploadLocked, UploadNotFound.
        """
        upload_lease = self._open_lease
        if upload_lease.offset < upload_lease.length:
            self.release()
            return
        digest = self._hasher.hexdigest() if self._hashed == upload_lease.length else self._digest_of_parts()
        self._write(lambda uploads: uploads.finish(upload_lease, digest))

    def release(self) -> None:
        """Release the lease without completing the upload."""
        if (upload_lease := self._lease_held) is not None:
            self._write(lambda uploads: uploads.release(upload_lease))

    def _write(self, work: Callable[[UploadRepository], Value]) -> Value:
        return self._database.write(lambda session: work(UploadRepository(session, self._caller)))

    def _digest_of_parts(self) -> str:
        hasher, size, renewed = hashlib.sha256(), 0, monotonic()
        for chunk in self._objects.stream(upload_key(self._open_lease.upload_id)):
            hasher.update(chunk)
            size += len(chunk)
            # Reading a large file back may take longer than a lease.
            if monotonic() - renewed > self._lease.total_seconds() / RENEWALS_PER_LEASE:
                self.renew()
                renewed = monotonic()
        if size != self._open_lease.length:
            raise InternalError("The stored parts of an upload are incomplete.")
        return hasher.hexdigest()

    @property
    def _open_lease(self) -> UploadLease:
        if self._lease_held is None:
            raise RuntimeError("the upload was not opened")
        return self._lease_held


def find_and_complete(
    database: Database, objects: ObjectStore, caller: Caller, upload_id: str, lease: timedelta
) -> StoredUpload:
    """Read an upload; completes it first if its last writer died between the last byte and the digest.

    Raises UploadNotFound.
    """
    upload = find_upload(database, caller, upload_id)
    if upload.complete or upload.offset < upload.length:
        return upload
    writer = UploadWriter(database, objects, caller, lease)
    try:
        writer.open(upload_id, upload.offset)
    except UploadLocked:  # its writer is alive and completes it
        return upload
    try:
        writer.close()
    except ServiceError:
        writer.release()
        raise
    return find_upload(database, caller, upload_id)
