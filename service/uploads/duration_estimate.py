"""The estimated duration of an upload, from its first bytes and its size, for queue estimates and fairness."""

from __future__ import annotations

import struct

TYPICAL_BITRATES = (
    (b"OggS", 48_000),
    (b"\x1a\x45\xdf\xa3", 48_000),
    (b"fLaC", 350_000),
    (b"RIFF", 256_000),
    (b"RF64", 256_000),
    (b"riff", 256_000),
    (b"FORM", 256_000),
    (b"caff", 256_000),
    (b".snd", 256_000),
    (b"#!AMR-WB", 24_000),
    (b"#!AMR", 12_000),
)
"""Typical bits per second of speech, by the first bytes: Opus in Ogg and WebM, FLAC, PCM of 16 bits at 16 kHz, AMR."""
DEFAULT_BITRATE = 96_000
"""Bits per second of other formats: MP3, AAC, M4A, WMA."""
LOWEST_BITRATE = 4_000
"""Bits per second below every codec of speech that is read (AMR 4.75 kbit/s); bounds what a header claims."""
MAX_SECONDS = 24 * 3600.0
UNKNOWN_LENGTH = 0xFFFFFFFF
FORMAT_BYTES = 16
STREAMINFO_END = 26


def estimate_duration(head: bytes, size: int) -> float:
    """Estimate the seconds of audio in a file of `size` bytes that begins with `head` (HEADER_BYTES are enough).

    Exact for PCM WAV, and for FLAC with a sample count. For other formats it is the size divided by the typical bitrate
    of speech, which may be wrong by a factor of a few. A header may claim anything, so no estimate exceeds what the
    file would hold at the lowest bitrate, nor a day.
    """
    exact = _wav_seconds(head, size) or _flac_seconds(head)
    if exact is None:
        bitrate = next((rate for magic, rate in TYPICAL_BITRATES if head.startswith(magic)), DEFAULT_BITRATE)
        exact = 8 * size / bitrate
    return min(exact, 8 * size / LOWEST_BITRATE, MAX_SECONDS)


def _wav_seconds(head: bytes, size: int) -> float | None:
    """Bytes of the data chunk divided by the byte rate of the format chunk."""
    if head[:4] not in (b"RIFF", b"RF64") or head[8:12] != b"WAVE":
        return None
    position, rate = 12, 0
    while position + 8 <= len(head):
        name, length = struct.unpack_from("<4sI", head, position)
        position += 8
        if name == b"fmt " and position + FORMAT_BYTES <= len(head):
            (rate,) = struct.unpack_from("<I", head, position + 8)
        if name == b"data":
            present = max(0, size - position)
            # Recorders that stream do not know the length and write zero or the maximum.
            data = present if length in (0, UNKNOWN_LENGTH) else min(length, present)
            return data / rate if rate else None
        # RIFF pads each chunk to an even number of bytes.
        position += length + length % 2
    return None


def _flac_seconds(head: bytes) -> float | None:
    """Samples divided by the rate, from STREAMINFO: 20 bits rate, 3 channels, 5 depth, 36 samples (RFC 9639, 8.2)."""
    if not head.startswith(b"fLaC") or len(head) < STREAMINFO_END:
        return None
    packed = int.from_bytes(head[18:26], "big")
    rate, samples = packed >> 44, packed & (1 << 36) - 1
    return samples / rate if rate and samples else None
