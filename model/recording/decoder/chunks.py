"""The sound chunks of AIFF, CAF and Wave64: the size that each declares, checked against the file.

A recorder that crashed leaves the size as it was at its last update, and an upload that broke off is shorter than it.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import BinaryIO

from model.errors import AudioTruncated

MOST_CHUNKS = 100_000
"""Bounds the loop for a file of empty chunks."""
PRINTABLE = range(0x20, 0x7F)
PROBED_BYTES = 1 << 18
TOLERATED_BYTES = 32_000
TOLERATED_SHARE = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkLayout:
    """How a container writes its chunks: from `first` on, a `header` of name and size, aligned to `alignment` bytes.

    `counted` bytes of the header are part of the size. `unknown` is the size, as bytes, with which libav reads on to
    the end of the file.
    """

    first: int
    header: str
    sound: bytes
    alignment: int
    counted: int
    unknown: bytes

    @property
    def header_bytes(self) -> int:
        """Bytes of name and size."""
        return struct.calcsize(self.header)


AIFF = ChunkLayout(first=12, header=">4sI", sound=b"SSND", alignment=2, counted=0, unknown=b"\xff" * 4)
CAF = ChunkLayout(first=8, header=">4sq", sound=b"data", alignment=1, counted=0, unknown=b"\xff" * 8)
WAVE64 = ChunkLayout(
    first=40, header="<16sQ", sound=b"data", alignment=8, counted=24, unknown=struct.pack("<Q", 1 << 62)
)


def layout_of(head: bytes) -> ChunkLayout | None:
    """The layout of a file that begins with `head`; None for all other containers."""
    if head[:4] == b"FORM" and head[8:11] == b"AIF":
        return AIFF
    if head[:4] == b"caff":
        return CAF
    return WAVE64 if head[:4] == b"riff" else None


def correct_size(file: BinaryIO, size: int, layout: ChunkLayout) -> dict[int, bytes]:
    """The bytes to replace, by offset, for a sound chunk that goes on behind its size. Raises AudioTruncated."""
    position = layout.first
    for _ in range(MOST_CHUNKS):
        chunk = _chunk_at(file, position, size, layout)
        if chunk is None:
            return {}
        name, length = chunk
        if name[:4] == layout.sound:
            return _correct_sound(file, size, position, length, layout)
        position = _next(position, length, layout)
    return {}


def _correct_sound(file: BinaryIO, size: int, position: int, length: int, layout: ChunkLayout) -> dict[int, bytes]:
    start = position + layout.header_bytes
    end = start + length
    missing = end - size
    # Recorders that cannot go back write -1, all ones in 32 bits, or the largest size: not known.
    known = 0 <= length < 1 << 62 and length != (1 << 32) - 1
    if known and missing > max(TOLERATED_BYTES, TOLERATED_SHARE * length):
        raise AudioTruncated("The file ends before its own structure says it should.")
    if known and goes_on(file, size, _next(position, length, layout), layout):
        return {start - len(layout.unknown): layout.unknown}
    return {}


def goes_on(file: BinaryIO, size: int, end: int, layout: ChunkLayout) -> bool:
    """Whether sound goes on behind `end`, where it should stop: neither further chunks nor zeros as padding."""
    if end + layout.header_bytes > size:
        return False
    file.seek(end)
    if not any(file.read(PROBED_BYTES)):
        return False
    position = end
    for _ in range(MOST_CHUNKS):
        chunk = _chunk_at(file, position, size, layout)
        if chunk is None:
            return False
        name, length = chunk
        beyond = position + layout.header_bytes + length
        if not all(letter in PRINTABLE for letter in name[:4]) or not position < beyond <= size + 1:
            return True
        position = _next(position, length, layout)
    return False


def _chunk_at(file: BinaryIO, position: int, size: int, layout: ChunkLayout) -> tuple[bytes, int] | None:
    """The name and the bytes of the body of the chunk at a position; None at the end of the file."""
    if position + layout.header_bytes > size:
        return None
    file.seek(position)
    name, length = struct.unpack(layout.header, file.read(layout.header_bytes))
    return name, length - layout.counted


def _next(position: int, length: int, layout: ChunkLayout) -> int:
    """The position behind a chunk; further on for a damaged size too, so that no walk stands still."""
    end = position + layout.header_bytes + max(length, 0)
    return end + -end % layout.alignment
