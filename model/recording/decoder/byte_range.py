"""A part of a file, with corrected bytes, in the form that libav reads."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import BinaryIO


class ByteRange:
    """Bytes `start` to `stop` of a file, some of them replaced; without a name, so that only the content is probed.

    `patches` maps an offset in the file to the bytes that replace those there.
    """

    def __init__(self, file: BinaryIO, start: int, stop: int, patches: Mapping[int, bytes] | None = None) -> None:
        self._file = file
        self._start = start
        self._stop = stop
        self._patches = dict(patches or {})
        self._position = start

    @property
    def size(self) -> int:
        """Bytes of the range."""
        return self._stop - self._start

    def read(self, size: int = -1) -> bytes:
        """Read up to `size` bytes, all that is left by default."""
        left = self._stop - self._position
        if left <= 0:
            # A damaged header may send libav further than the operating system can seek.
            return b""
        at = self._position
        self._file.seek(at)
        content = self._file.read(left if size < 0 else min(size, left))
        self._position = at + len(content)
        for offset, replacement in self._patches.items():
            if offset < at + len(content) and at < offset + len(replacement):
                content = _patched(content, offset - at, replacement)
        return content

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move to an offset in the range, as `io.IOBase.seek` does."""
        base = {os.SEEK_SET: self._start, os.SEEK_CUR: self._position, os.SEEK_END: self._stop}[whence]
        self._position = max(self._start, base + offset)
        return self.tell()

    def tell(self) -> int:
        """The offset in the range."""
        return self._position - self._start


def _patched(content: bytes, at: int, replacement: bytes) -> bytes:
    changed = bytearray(content)
    for index, value in enumerate(replacement):
        if 0 <= at + index < len(changed):
            changed[at + index] = value
    return bytes(changed)
