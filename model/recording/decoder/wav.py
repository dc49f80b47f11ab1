"""Headers of WAV files: what they declare, and the corrections that make libav read what is there.

Two kinds of header mislead libav. A recorder that crashed leaves the size of the data as it was at its last update,
and libav stops there. Samples of fewer bits than their container (24 bits in 4 bytes) are taken for another coding;
Microsoft's definition of WAVEFORMATEXTENSIBLE puts the valid bits at the top, so the container's width is right for
them. `arecord -f S24_LE` of ALSA puts them at the bottom; then the samples are 48 dB too soft, and `gain` says so.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

import numpy as np

from model.errors import AudioFormatUnsupported
from model.recording.decoder.chunks import MOST_CHUNKS, ChunkLayout, goes_on

INTEGER_PCM = 0x0001
EXTENSIBLE = 0xFFFE
EXTENSIBLE_BYTES = 40
FORMAT_BYTES = 16
IN_DS64 = 0xFFFF_FFFF
# Programs that write to a pipe do not know the size: they write 0 or a number near 2^31 or 2^32.
UNKNOWN_SIZE_FROM = 0x7FFF_F000
RIFF = ChunkLayout(first=12, header="<4sI", sound=b"data", alignment=2, counted=0, unknown=bytes(4))
CHUNK_HEAD = 8
PROBED_BYTES = 1 << 18
BITS_24_IN_32 = (24, 32)
GAIN_OF_LOW_BITS = 256.0
SIGN = 0x80
FILE_NAMES = frozenset({b"RIFF", b"RF64"})


@dataclass(frozen=True, slots=True, kw_only=True)
class WavHeader:
    """The format and data chunks of a WAV file; offsets are positions in the file, `bits` the valid bits of a sample.

    `declared` is the size of the data in bytes, None if the header does not know it.
    """

    tag: int
    channels: int
    byte_rate: int
    block: int
    bits: int
    format_at: int
    extensible: bool
    data_at: int
    declared: int | None
    size_at: int

    @property
    def container_bits(self) -> int:
        """Bits that a sample takes in the file, of PCM."""
        return 8 * self.block // self.channels if self.channels else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class WavCorrection:
    """Bytes to replace, by offset; the factor that restores the level; whether the header was stale."""

    patches: dict[int, bytes] = field(default_factory=dict)
    gain: float = 1.0
    stale: bool = False


def is_wav(head: bytes) -> bool:
    """Whether the first 12 bytes are those of a WAV file."""
    return head[:4] in {b"RIFF", b"RF64"} and head[8:12] == b"WAVE"


def riff_chunks(file: BinaryIO, size: int) -> Iterator[tuple[bytes, int, int]]:
    """Name, position and length of each chunk; the file is positioned at the start of its data."""
    position = 12
    for _ in range(MOST_CHUNKS):
        if position + CHUNK_HEAD > size:
            return
        file.seek(position)
        name, length = struct.unpack("<4sI", file.read(CHUNK_HEAD))
        yield name, position + CHUNK_HEAD, length
        position += CHUNK_HEAD + length + length % 2


def read_wav_header(file: BinaryIO, size: int) -> WavHeader | None:
    """The header of a WAV file of `size` bytes; None without a format chunk and a data chunk after it."""
    body, format_at, long_size, long_at = b"", 0, 0, 0
    for name, position, length in riff_chunks(file, size):
        if name == b"fmt ":
            body, format_at = file.read(min(length, EXTENSIBLE_BYTES)), position
        elif name == b"ds64" and length >= FORMAT_BYTES:
            long_size, long_at = struct.unpack_from("<8xQ", file.read(FORMAT_BYTES))[0], position + 8
        elif name == b"data":
            in_ds64 = length == IN_DS64 and long_size > 0
            known = in_ds64 or 0 < length < UNKNOWN_SIZE_FROM
            return _header(
                body,
                format_at=format_at,
                data_at=position,
                declared=(long_size if in_ds64 else length) if known else None,
                size_at=long_at if in_ds64 else position - 4,
            )
    return None


def _header(body: bytes, *, format_at: int, data_at: int, declared: int | None, size_at: int) -> WavHeader | None:
    if len(body) < FORMAT_BYTES:
        return None
    tag, channels, _, byte_rate, block, bits = struct.unpack_from("<HHIIHH", body)
    extensible = tag == EXTENSIBLE and len(body) >= EXTENSIBLE_BYTES
    if extensible:
        bits, tag = struct.unpack_from("<H", body, 18)[0] or bits, struct.unpack_from("<H", body, 24)[0]
    return WavHeader(
        tag=tag,
        channels=channels,
        byte_rate=byte_rate,
        block=block,
        bits=bits,
        format_at=format_at,
        extensible=extensible,
        data_at=data_at,
        declared=declared,
        size_at=size_at,
    )


def correct_wav(file: BinaryIO, size: int, header: WavHeader) -> WavCorrection:
    """The corrections that a header needs; none for an ordinary one. Raises AudioFormatUnsupported for joined files."""
    patches: dict[int, bytes] = {}
    end = header.data_at + (header.declared or 0)
    if header.declared is not None and goes_on(file, size, end + header.declared % 2, RIFF):
        # libav reads to the end of the file where the size is unknown, which RF64 writes in the ds64 chunk.
        patches[header.size_at] = bytes(4) if header.size_at == header.data_at - 4 else struct.pack("<Q", 1 << 62)
    elif any(name in FILE_NAMES for name, _, _ in riff_chunks(file, size)):
        raise AudioFormatUnsupported(
            "The file holds several WAV files one after the other.",
            advice="Send each as a recording of its own, or join them in an audio editor.",
        )
    gain = _gain_of_padded_samples(file, header)
    if gain is not None:
        at = header.format_at + (18 if header.extensible else 14)
        patches[at] = struct.pack("<H", header.container_bits)
    return WavCorrection(patches=patches, gain=gain or 1.0, stale=header.size_at in patches)


def _gain_of_padded_samples(file: BinaryIO, header: WavHeader) -> float | None:
    """The factor for integers of 24 bits in 4 bytes: 1 if the bits are at the top; None for all other samples.

    Without the extensible format, neither layout may be there: Cool Edit wrote floats under the same header.
    """
    if header.tag != INTEGER_PCM or (header.bits, header.container_bits) != BITS_24_IN_32:
        return None
    file.seek(header.data_at)
    content = file.read(PROBED_BYTES)
    samples = np.frombuffer(content[: len(content) // 4 * 4], dtype=np.uint8).reshape(-1, 4)
    if not samples[:, 0].any():
        return 1.0
    extension = np.where(samples[:, 2] >= SIGN, 0xFF, 0)
    if np.array_equal(samples[:, 3], extension):
        return GAIN_OF_LOW_BITS
    return 1.0 if header.extensible else None
