"""Digests of request bodies: what an Idempotency-Key is compared by."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator
from contextlib import suppress

from service.api.intake.multipart import FormPart


def json_digest(content: bytes) -> str:
    """Digest of what a JSON body means: neither spaces nor the order of fields count."""
    with suppress(ValueError, RecursionError):  # what is no JSON means its bytes
        content = json.dumps(json.loads(content), sort_keys=True, separators=(",", ":")).encode()
    return hashlib.sha256(content).hexdigest()


class FormHasher:
    """Digest of what a form means: names and contents of its parts, whatever their order and the boundary."""

    def __init__(self) -> None:
        self._parts: list[tuple[str, str]] = []

    async def hashing(self, part: FormPart) -> AsyncIterator[bytes]:
        """The part's chunks as they come; read them to the end."""
        hasher = hashlib.sha256()
        async for chunk in part.chunks:
            hasher.update(chunk)
            yield chunk
        self._parts.append((part.name, hasher.hexdigest()))

    def hexdigest(self) -> str:
        """Of all parts that were read."""
        return hashlib.sha256(json.dumps(sorted(self._parts)).encode()).hexdigest()
