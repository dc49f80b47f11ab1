"""The object store: audio, transcripts, features and results, by key under their assessment's prefix.

Objects are written as they are; encrypting them at rest is the store's duty (an encrypted disk or bucket).
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import obstore
from obstore.exceptions import BaseError, NotFoundError
from obstore.store import LocalStore, from_url
from obstore.store import ObjectStore as Store

from service.errors import StorageUnavailable

CHUNK = 4 * 1024 * 1024


class ObjectStore:
    """One client for a local folder and for S3; a put is whole or not at all.

    Whatever is asked of it may raise StorageUnavailable.
    """

    def __init__(self, url: str) -> None:
        self._store = _open(url)

    async def put_stream(self, key: str, chunks: AsyncIterator[bytes]) -> None:
        """Store what the iterator yields; when it raises, nothing is stored and the error goes on."""
        with _answering():
            await obstore.put_async(self._store, key, chunks, chunk_size=CHUNK, max_concurrency=2)

    def put(self, prefix: str, content: bytes) -> str:
        """Store bytes under a key made of the prefix and their sha256; returns the key."""
        key = f"{prefix}/{hashlib.sha256(content).hexdigest()}"
        self.put_at(key, content)
        return key

    def put_at(self, key: str, content: bytes) -> None:
        """Store bytes under this very key, in place of what was there."""
        with _answering():
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
        parts = self.list(key) if key.endswith("/") else [key]
        if not parts:
            raise FileNotFoundError(key)
        for part in parts:
            with _answering():
                yield from map(bytes, obstore.get(self._store, part).stream(min_chunk_size=CHUNK))

    def list(self, prefix: str) -> list[str]:
        """Keys under a prefix, sorted."""
        with _answering():
            return sorted(meta["path"] for page in obstore.list(self._store, prefix) for meta in page)

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
        with suppress(FileNotFoundError), _answering():
            obstore.delete(self._store, key)


@contextmanager
def _answering() -> Iterator[None]:
    """What a store raises that does not answer or is full, as StorageUnavailable."""
    try:
        yield
    except NotFoundError:
        raise
    except BaseError as error:
        raise StorageUnavailable("The object store does not take or give anything right now.") from error


def _open(url: str) -> Store:
    if url.startswith("file:"):
        return LocalStore.from_url(url, mkdir=True, automatic_cleanup=True)
    return from_url(url)


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


def part_key(upload_id: str, number: int) -> str:
    """One part of it; parts sort in the order in which they came."""
    return f"{upload_key(upload_id)}{number:08d}"


def result_prefix(assessment_id: str) -> str:
    """The result; kept until the assessment is erased."""
    return f"{assessment_prefix(assessment_id)}/result"
