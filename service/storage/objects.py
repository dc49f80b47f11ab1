"""The object store: audio, transcripts, features and results, by key below the prefix of their assessment.

Objects are written as they are. Encryption at rest is up to the store: an encrypted disk or bucket.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import unquote, urlsplit

import obstore
from obstore.exceptions import BaseError, NotFoundError
from obstore.store import LocalStore, from_url
from obstore.store import ObjectStore as Store

from service.errors.unavailable import StorageUnavailable
from service.settings import Settings
from service.storage.s3 import S3Access, open_bucket

PART_SIZE = 5 * 1024 * 1024
"""Bytes of a part in a streamed upload; S3 accepts no smaller parts but for the last."""
READ_SIZE = 8 * 1024 * 1024
MISSING_KEY = "there-is-nothing-here"
"""A key that never exists: `not found` is the cheapest answer of a store that works."""
UNFINISHED_FILE = re.compile(r".*#\d+")
"""Name of a file that a local store is still writing; the store's own listings leave such files out."""


class ObjectStore:
    """One client for a local folder and for S3. Every write is atomic. Every method may raise StorageUnavailable."""

    def __init__(self, url: str, access: S3Access | None = None) -> None:
        self._store = _open(url, access or S3Access())
        self._probe = _open(url, access or S3Access(), retry=False)
        self._folder = Path(unquote(urlsplit(url).path)) if url.startswith("file:") else None

    async def put_stream(self, key: str, chunks: AsyncIterator[bytes]) -> None:
        """Store the chunks of an iterator; an error of the iterator passes through, and then nothing is stored."""
        with _write_errors():
            await obstore.put_async(self._store, key, chunks, chunk_size=PART_SIZE, max_concurrency=2)

    def put(self, prefix: str, content: bytes) -> str:
        """Store bytes under the prefix and their sha256; returns the key. Storing the same bytes again is harmless."""
        key = f"{prefix}/{hashlib.sha256(content).hexdigest()}"
        self.write(key, content)
        return key

    def write(self, key: str, content: bytes) -> None:
        """Store bytes under a key; replaces the object that is there."""
        with _write_errors():
            obstore.put(self._store, key, content)

    def get(self, key: str) -> bytes:
        """The object, or all parts of a key that ends in `/`. Raises FileNotFoundError."""
        return b"".join(self.stream(key))

    def get_to_file(self, key: str, path: Path) -> None:
        """Copy an object, or all parts of a key that ends in `/`, to a local file."""
        with path.open("wb") as file:
            for chunk in self.stream(key):
                file.write(chunk)

    def stream(self, key: str) -> Iterator[bytes]:
        """The content in pieces of `READ_SIZE` bytes. Raises FileNotFoundError, also for a key without parts."""
        for part in self._objects_of(key):
            yield from self._ranges(part)

    def _ranges(self, key: str) -> Iterator[bytes]:
        """An object in pieces, by range requests: on a local folder the store's own stream is twenty times slower."""
        with _store_errors():
            size = obstore.head(self._store, key)["size"]
            for start in range(0, size, READ_SIZE):
                yield bytes(obstore.get_range(self._store, key, start=start, length=min(READ_SIZE, size - start)))

    def head(self, key: str, length: int) -> bytes:
        """The first `length` bytes, or fewer if there are not so many. Raises FileNotFoundError."""
        content = b""
        with _store_errors():
            for part in self._objects_of(key):
                content += bytes(obstore.get_range(self._store, part, start=0, length=length - len(content)))
                if len(content) >= length:
                    break
        return content

    def list(self, prefix: str) -> list[str]:
        """Keys under a prefix, sorted."""
        with _store_errors():
            return sorted(meta["path"] for page in obstore.list(self._store, prefix) for meta in page)

    def folders(self, prefix: str) -> Sequence[str]:
        """The prefixes one level below this one."""
        with _store_errors():
            return sorted(obstore.list_with_delimiter(self._store, prefix)["common_prefixes"])

    def check(self) -> None:
        """Raise StorageUnavailable unless the store answers."""
        with suppress(FileNotFoundError), _store_errors():
            obstore.head(self._probe, MISSING_KEY)

    def newest(self, prefix: str) -> datetime | None:
        """The latest modification under a prefix; None when it is empty."""
        with _store_errors():
            times = [meta["last_modified"] for page in obstore.list(self._store, prefix) for meta in page]
        return max(times, default=None)

    def delete_unfinished(self, before: datetime) -> int:
        """Delete files of a local folder that killed processes left half-written; returns how many.

        On S3 a lifecycle rule of the bucket deletes unfinished uploads.
        """
        deleted = 0
        for path in () if self._folder is None else self._folder.rglob("*#*"):
            if not UNFINISHED_FILE.fullmatch(path.name):
                continue
            try:
                if datetime.fromtimestamp(path.stat().st_mtime, UTC) < before:
                    path.unlink()
                    deleted += 1
            except FileNotFoundError:  # finished or deleted in between
                continue
        return deleted

    def _objects_of(self, key: str) -> Sequence[str]:
        if not key.endswith("/"):
            return [key]
        with _store_errors():
            sizes = {meta["path"]: meta["size"] for page in obstore.list(self._store, key) for meta in page}
        parts = contiguous_parts(key, sizes)
        if not parts:
            raise FileNotFoundError(key)
        return parts

    def delete(self, prefix: str) -> None:
        """Delete every object under a prefix; it may be empty."""
        for key in self.list(prefix):
            self._delete(key)

    def remove(self, key: str) -> None:
        """Delete an object, or all parts of a key that ends in `/`; it may be missing."""
        if key.endswith("/"):
            self.delete(key)
        else:
            self._delete(key)

    def _delete(self, key: str) -> None:
        # Deletions are repeated after a crash, so the object may be gone already.
        with suppress(FileNotFoundError), _store_errors():
            obstore.delete(self._store, key)


@contextmanager
def _store_errors() -> Iterator[None]:
    """Turn the errors of a store that does not answer or is full into StorageUnavailable."""
    try:
        yield
    except NotFoundError:
        raise
    except BaseError as error:
        raise StorageUnavailable("The object store is unavailable or full.") from error


@contextmanager
def _write_errors() -> Iterator[None]:
    """The same for writes, where `not found` can only mean that the bucket or folder itself is missing."""
    try:
        with _store_errors():
            yield
    except FileNotFoundError as error:  # obstore raises it as well
        raise StorageUnavailable("The configured bucket or folder of the object store does not exist.") from error


def _open(url: str, access: S3Access, *, retry: bool = True) -> Store:
    if url.startswith("file:"):
        # A bucket has no empty folders, so a local store removes them with their last object.
        return LocalStore.from_url(url, mkdir=True, automatic_cleanup=True)
    return open_bucket(url, access, retry=retry) if url.startswith("s3:") else from_url(url)


def open_objects(settings: Settings) -> ObjectStore:
    """The object store that the settings name."""
    access = S3Access(
        endpoint=settings.s3_endpoint,
        region=settings.s3_region,
        key_id=settings.s3_key_id,
        secret_key=settings.s3_secret_key,
    )
    return ObjectStore(settings.object_store, access)


def assessment_prefix(assessment_id: str) -> str:
    """Prefix of all objects of an assessment."""
    return f"assessments/{assessment_id}"


def material_prefix(assessment_id: str) -> str:
    """Prefix of the audio and transcript; deleted when their retention is over."""
    return f"{assessment_prefix(assessment_id)}/material"


def work_prefix(assessment_id: str) -> str:
    """Prefix of the intermediate objects of the stages; deleted when the assessment ends."""
    return f"{assessment_prefix(assessment_id)}/work"


def upload_key(upload_id: str) -> str:
    """Key of a file that was uploaded in parts; deleted with the material of the assessment that uses it."""
    return f"uploads/{upload_id}/"


def part_key(upload_id: str, offset: int, fence: int) -> str:
    """Key of one part, by its offset in the file and the fence of the request that wrote it."""
    return f"{upload_key(upload_id)}{offset:016d}-{fence:08d}"


def contiguous_parts(key: str, sizes: dict[str, int]) -> list[str]:
    """The parts that make up a file, from all objects under its key and their sizes in bytes.

    Each part begins where the one before ends. Of several parts at one offset, the one with the highest fence counts:
    a request that was cut off or lost its lease may have left others, but never at an offset that was complete before
    it began.
    """
    latest: dict[int, str] = {}
    for path in sorted(sizes):  # by offset, then fence: both are written with leading zeros
        offset_digits, _, _ = path.removeprefix(key).partition("-")
        latest[int(offset_digits)] = path
    parts = []
    offset = 0
    # An empty part would end where it begins, and the loop would find it for ever.
    while (part := latest.get(offset)) is not None and sizes[part] > 0:
        parts.append(part)
        offset += sizes[part]
    return parts


def batch_prefix(batch_id: str) -> str:
    """Prefix of the files of a batch; kept until it is erased."""
    return f"batches/{batch_id}/"


def result_prefix(assessment_id: str) -> str:
    """Prefix of the result; kept until the assessment is erased."""
    return f"{assessment_prefix(assessment_id)}/result"
