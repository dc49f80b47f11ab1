"""The journal of a run of `hilbert batch`, from which the same command continues after an interruption.

Each step is one line of JSON that is synced to disk before the next step begins. A partial last line is dropped.
"""

from __future__ import annotations

import fcntl
import json
import os
import threading
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from service.cli.batch_client.errors import BatchCommandError, invalid_input

FileKey = tuple[int, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalUpload:
    """An upload that was started, and size and modification time of its file at that moment."""

    upload: str
    size: int
    modified: int


class Journal:
    """The journal of one manifest, service and results file; locked by one process at a time."""

    def __init__(self, file: Path, *, manifest: str, url: str) -> None:
        """Raises BatchCommandError when another run holds the lock, or for another manifest or service."""
        self._file = file
        self._lock = threading.Lock()
        self.run = ""
        self.batch: str | None = None
        self.request_body: str | None = None
        self.refusals = 0
        self._uploads: dict[FileKey, JournalUpload] = {}
        self._descriptor = _open(file)
        try:
            self._read()
            if not self.run:
                self._write({"run": str(uuid.uuid4()), "manifest": manifest, "url": url})
            elif (self._manifest, self._url) != (manifest, url):
                raise invalid_input(
                    f"{file} belongs to another manifest or service. Finish that run first, or delete it."
                )
        except BaseException:
            self.close()
            raise

    def find_upload(self, key: FileKey) -> JournalUpload | None:
        """The recorded upload of a file, if any."""
        with self._lock:
            return self._uploads.get(key)

    def record_upload(self, key: FileKey, sent: JournalUpload) -> None:
        """Record that the service has created an upload."""
        line, role = key
        self._write({"upload": sent.upload, "line": line, "role": role, "size": sent.size, "modified": sent.modified})

    def record_request(self, body: str) -> None:
        """Record the request body; the same body is sent until the service has answered."""
        self._write({"posting": body})

    def record_refusal(self) -> None:
        """Record that the service refused the batch."""
        self._write({"refused": True})

    def record_batch(self, batch: str) -> None:
        """Record the id of the accepted batch."""
        self._write({"batch": batch})

    def remove(self) -> None:
        """Delete the journal of a completed run."""
        self._file.unlink(missing_ok=True)

    def close(self) -> None:
        """Release the lock."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _read(self) -> None:
        content = self._file.read_bytes()
        whole, _, torn = content.rpartition(b"\n")
        if torn:
            os.truncate(self._file, len(content) - len(torn))
        for line in whole.splitlines():
            self._apply(json.loads(line))

    def _write(self, record: dict[str, Any]) -> None:
        with self._lock:
            os.write(self._descriptor, json.dumps(record).encode() + b"\n")
            os.fsync(self._descriptor)
            self._apply(record)

    def _apply(self, record: dict[str, Any]) -> None:
        if "run" in record:
            self.run, self._manifest, self._url = record["run"], record["manifest"], record["url"]
        elif "upload" in record:
            sent = JournalUpload(upload=record["upload"], size=record["size"], modified=record["modified"])
            self._uploads[record["line"], record["role"]] = sent
        elif "posting" in record:
            self.request_body = record["posting"]
        elif "refused" in record:
            self.request_body, self.refusals = None, self.refusals + 1
        else:
            self.batch = record["batch"]


def _open(file: Path) -> int:
    try:
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
    except OSError as error:
        raise BatchCommandError(f"{file} cannot be written: {error.strerror}.", os.EX_CANTCREAT) from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise BatchCommandError("Another `hilbert batch` is writing these results.", os.EX_TEMPFAIL) from None
    return descriptor
