"""The object store: audio, transcripts, features and results, by key under their assessment's prefix.

Objects are written as they are; encrypting them at rest is the store's duty (an encrypted disk or bucket).
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
"""What is written at once; S3 takes no smaller part of an upload than this."""
READ_SIZE = 8 * 1024 * 1024
MISSING_KEY = "there-is-nothing-here"
UNFINISHED_FILE = re.compile(r".*#\d+")
"""What a local store names a file that is still being written; its own listings leave such files out."""


class ObjectStore:
    """One client for a local folder and for S3; a put is whole or not at all.

    Whatever is asked of it may raise StorageUnavailable.
    """

    def __init__(self, url: str, access: S3Access | None = None) -> None:
        self._store = _open(url, access or S3Access())
        self._probe = _open(url, access or S3Access(), retry=False)
        self._folder = Path(unquote(urlsplit(url).path)) if url.startswith("file:") else None

    async def put_stream(self, key: str, chunks: AsyncIterator[bytes]) -> None:
        """Store what the iterator yields; when it raises, nothing is stored and the error goes on."""
        with _write_errors():
            await obstore.put_async(self._store, key, chunks, chunk_size=PART_SIZE, max_concurrency=2)

    def put(self, prefix: str, content: bytes) -> str:
        """Store bytes under a key made of the prefix and their sha256; returns the key."""
        key = f"{prefix}/{hashlib.sha256(content).hexdigest()}"
        self.write(key, content)
        return key

    def write(self, key: str, content: bytes) -> None:
        """Store bytes under a key of the caller's choice, whole or not at all; what stood there is replaced."""
        with _write_errors():
            obstore.put(self._store, key, content)

    def get(self, key: str) -> bytes:
        """The whole object, or all parts of a key that ends in `/`. Raises FileNotFoundError."""
        return b"".join(self.stream(key))

    def get_to_file(self, key: str, path: Path) -> None:
        """Copy an object, or all parts of a key that ends in `/`, to a local file."""
        with path.open("wb") as file:
            for chunk in self.stream(key):
                file.write(chunk)

    def stream(self, key: str) -> Iterator[bytes]:
        """The content, a few megabytes at a time. Raises FileNotFoundError, also where a key has no parts."""
        for part in self._objects_of(key):
            yield from self._ranges(part)

    def _ranges(self, key: str) -> Iterator[bytes]:
        """An object in pieces; asked for one by one, for the store's own stream takes twenty times as long locally."""
        with _store_errors():
            size = obstore.head(self._store, key)["size"]
            for start in range(0, size, READ_SIZE):
                yield bytes(obstore.get_range(self._store, key, start=start, length=min(READ_SIZE, size - start)))

    def head(self, key: str, length: int) -> bytes:
        """The first bytes, as many parts as they take. Raises FileNotFoundError."""
        found = b""
        with _store_errors():
            for part in self._objects_of(key):
                found += bytes(obstore.get_range(self._store, part, start=0, length=length - len(found)))
                if len(found) >= length:
                    break
        return found

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
        """When something was last stored under a prefix; None where nothing is."""
        with _store_errors():
            times = [meta["last_modified"] for page in obstore.list(self._store, prefix) for meta in page]
        return max(times, default=None)

    def delete_unfinished(self, before: datetime) -> int:
        """Delete what killed processes were writing into a local folder; on S3 a rule of the bucket does it.

        Returns how many files that were.
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
        """Delete every object under a prefix; none there is fine."""
        for key in self.list(prefix):
            self._delete(key)

    def remove(self, key: str) -> None:
        """Delete an object, or all parts of a key that ends in `/`; none there is fine."""
        if key.endswith("/"):
            self.delete(key)
        else:
            self._delete(key)

    def _delete(self, key: str) -> None:
        with suppress(FileNotFoundError), _store_errors():
            obstore.delete(self._store, key)


@contextmanager
def _store_errors() -> Iterator[None]:
    """What a store raises that does not answer or is full, as StorageUnavailable."""
    try:
        yield
    except NotFoundError:
        raise
    except BaseError as error:
        raise StorageUnavailable("The object store does not take or give anything right now.") from error


@contextmanager
def _write_errors() -> Iterator[None]:
    """The same while something is written: nothing can be missing then but the place itself, such as a bucket."""
    try:
        with _store_errors():
            yield
    except FileNotFoundError as error:  # obstore raises it as well
        raise StorageUnavailable("The object store is not where it was said to be.") from error


def _open(url: str, access: S3Access, *, retry: bool = True) -> Store:
    if url.startswith("file:"):
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
    """All objects of an assessment."""
    return f"assessments/{assessment_id}"


def material_prefix(assessment_id: str) -> str:
    """What the client sent; removed when the assessment ends."""
    return f"{assessment_prefix(assessment_id)}/material"


def work_prefix(assessment_id: str) -> str:
    """What stages leave to each other; removed when the assessment ends."""
    return f"{assessment_prefix(assessment_id)}/work"


def upload_key(upload_id: str) -> str:
    """A file that a client uploads in parts; removed with the material of the assessment that uses it."""
    return f"uploads/{upload_id}/"


def part_key(upload_id: str, offset: int, fence: int) -> str:
    """One part of it, by its place in the file and the fence of the request that wrote it."""
    return f"{upload_key(upload_id)}{offset:016d}-{fence:08d}"


def contiguous_parts(key: str, sizes: dict[str, int]) -> list[str]:
    """The parts that make up a file, of all objects under its key and their sizes in bytes.

    Where one part ends the next begins, and of those that begin there the one with the highest fence counts: a
    request that was cut off, or taken for dead, may have left others, but none at a place that was stored before
    it began.
    """
    latest: dict[int, str] = {}
    for path in sorted(sizes):
        place, _, _ = path.removeprefix(key).partition("-")
        latest[int(place)] = path
    parts = []
    offset = 0
    while (part := latest.get(offset)) is not None and sizes[part] > 0:
        parts.append(part)
        offset += sizes[part]
    return parts


def batch_prefix(batch_id: str) -> str:
    """The files of a batch; kept until it is erased."""
    return f"batches/{batch_id}/"


def result_prefix(assessment_id: str) -> str:
    """The result; kept until the assessment is erased."""
    return f"{assessment_prefix(assessment_id)}/result"
