"""What a run of `hilbert batch` has done so far, so that the same command goes on there after any interruption.

A line of JSON a step, on disk before the next step begins; a line that was cut off by a crash does not count.
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
    """An upload that was begun, and the file as it was then."""

    upload: str
    size: int
    modified: int


class Journal:
    """The journal of one manifest, one service and one file of results; held by one process at a time."""

    def __init__(self, file: Path, *, manifest: str, url: str) -> None:
        """Raises Stopped when another run holds it, or it belongs to another manifest or service."""
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
        """What is known of the upload of one file of one line."""
        with self._lock:
            return self._uploads.get(key)

    def record_upload(self, key: FileKey, sent: JournalUpload) -> None:
        """An upload exists now."""
        line, role = key
        self._write({"upload": sent.upload, "line": line, "role": role, "size": sent.size, "modified": sent.modified})

    def record_request(self, body: str) -> None:
        """Every upload is complete; from here on this very batch is sent, until it is answered."""
        self._write({"posting": body})

    def record_refusal(self) -> None:
        """The service did not take the batch."""
        self._write({"refused": True})

    def record_batch(self, batch: str) -> None:
        """The service has the batch."""
        self._write({"batch": batch})

    def remove(self) -> None:
        """All is done."""
        self._file.unlink(missing_ok=True)

    def close(self) -> None:
        """Let another run have it."""
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
