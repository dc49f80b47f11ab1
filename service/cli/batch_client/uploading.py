"""Upload files by tus 1.0: in chunks, several files at a time, each resumed at its offset."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path

import httpx

from service.cli.batch_client.client import GONE_STATUSES, ServiceClient, expect, is_retryable
from service.cli.batch_client.errors import invalid_input
from service.cli.batch_client.journal import FileKey, Journal, JournalUpload
from service.cli.batch_client.manifest import ManifestEntry

TUS_HEADERS = {"Tus-Resumable": "1.0.0"}
CHUNK_BYTES = 8_000_000
UPLOAD_THREADS = 4
CONFLICT_STATUSES = (409, 423)
UPLOADS = "/v1/uploads"
SIGNAL_CHECK_SECONDS = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class FileToSend:
    """One file of one line of the manifest."""

    key: FileKey
    path: Path
    size: int
    modified: int


def manifest_files(entries: Sequence[ManifestEntry]) -> list[FileToSend]:
    """All files of a manifest with their current sizes. Raises BatchCommandError for a missing file."""
    files = []
    for entry in entries:
        for role, path in entry.files.items():
            try:
                state = path.stat()
            except OSError:
                raise invalid_input(f"line {entry.line}: {path} has gone.") from None
            key = (entry.line, role)
            files.append(FileToSend(key=key, path=path, size=state.st_size, modified=state.st_mtime_ns))
    return files


class Uploader:
    """Uploads files; calls `advance` with the bytes received by the service, negative if it has lost some."""

    def __init__(self, client: ServiceClient, journal: Journal, advance: Callable[[int], None]) -> None:
        self._client = client
        self._journal = journal
        self._advance = advance

    def send_all(self, files: Sequence[FileToSend]) -> dict[FileKey, str]:
        """Upload all files; returns the upload of each. Raises BatchCommandError, which stops the other files too."""
        with ThreadPoolExecutor(UPLOAD_THREADS, thread_name_prefix="upload") as pool:
            futures = {pool.submit(self._send, file): file.key for file in files}
            try:
                self._await(set(futures))
            except BaseException:
                self._client.stop.set()
                pool.shutdown(cancel_futures=True)
                raise
            return {key: future.result() for future, key in futures.items()}

    def _await(self, waiting: set[Future[str]]) -> None:
        while waiting:  # with a timeout, because signals are handled between waits only
            done, waiting = wait(waiting, timeout=SIGNAL_CHECK_SECONDS, return_when=FIRST_EXCEPTION)
            for future in done:
                future.result()

    def _send(self, file: FileToSend) -> str:
        upload, offset = self._resume(file) or self._begin(file)
        self._advance(offset)
        budget = self._client.retry_budget()
        with file.path.open("rb") as content:
            while offset < file.size:
                content.seek(offset)
                answer = self._patch(upload, offset, content.read(CHUNK_BYTES))
                if answer is not None and answer.status_code == httpx.codes.NO_CONTENT:
                    budget.reset()
                    reached = int(answer.headers["upload-offset"])
                elif answer is None or answer.status_code in CONFLICT_STATUSES or is_retryable(answer):
                    budget.wait(answer)
                    reached = self._offset(upload, file)
                else:
                    expect(answer)
                self._advance(reached - offset)
                offset = reached
        return upload

    def _resume(self, file: FileToSend) -> tuple[str, int] | None:
        """The upload of an earlier run and its offset, if the upload exists and the file has not changed."""
        sent = self._journal.find_upload(file.key)
        if sent is None or (sent.size, sent.modified) != (file.size, file.modified):
            return None
        answer = self._client.request("HEAD", f"{UPLOADS}/{sent.upload}", TUS_HEADERS)
        if answer.status_code in GONE_STATUSES:
            return None
        return sent.upload, int(expect(answer, httpx.codes.OK, httpx.codes.NO_CONTENT).headers["upload-offset"])

    def _begin(self, file: FileToSend) -> tuple[str, int]:
        role = base64.b64encode(file.key[1].encode()).decode()
        headers = {**TUS_HEADERS, "Upload-Length": str(file.size), "Upload-Metadata": f"role {role}"}
        answer = expect(self._client.request("POST", UPLOADS, headers), httpx.codes.CREATED)
        upload = httpx.URL(answer.headers["location"]).path.rstrip("/").rpartition("/")[2]
        self._journal.record_upload(file.key, JournalUpload(upload=upload, size=file.size, modified=file.modified))
        return upload, 0

    def _patch(self, upload: str, offset: int, piece: bytes) -> httpx.Response | None:
        headers = {**TUS_HEADERS, "Upload-Offset": str(offset), "Content-Type": "application/offset+octet-stream"}
        if not piece:
            raise invalid_input("A file became shorter while it was uploaded.")
        # Once only: after a failure some bytes may be stored, so the offset is asked for before the next attempt.
        return self._client.try_request("PATCH", f"{UPLOADS}/{upload}", headers, piece)

    def _offset(self, upload: str, file: FileToSend) -> int:
        answer = self._client.request("HEAD", f"{UPLOADS}/{upload}", TUS_HEADERS)
        offset = int(expect(answer, httpx.codes.OK, httpx.codes.NO_CONTENT).headers["upload-offset"])
        if offset > file.size:
            raise invalid_input("The service has more of a file than there is. Delete the journal and start again.")
        return offset
