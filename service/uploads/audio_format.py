"""Checks of audio and transcripts that need no decoder: the format by its first bytes, and the duration."""

from __future__ import annotations

import struct

from service.errors.request import AudioEmpty, AudioUnsupported, TranscriptEmpty, TranscriptNotUtf8

HEADER_BYTES = 4096
"""Bytes at the beginning of a file that the checks and the estimate read."""
MIN_SNIFF_BYTES = 12
ADTS_SYNC = 0xFFF0
LAYER_SYNC = (0xFFE2, 0xFFE4)
"""The sync word with the layer bits of III and II; bits outside the mask are version and protection."""
TYPICAL_BITRATES = (
    (b"OggS", 48_000),
    (b"\x1a\x45\xdf\xa3", 48_000),
    (b"fLaC", 350_000),
    (b"RIFF", 256_000),
    (b"RF64", 256_000),
)
"""Typical bits per second of speech, by the first bytes: Opus in Ogg and WebM, FLAC, and WAV of 16 bits at 16 kHz."""
DEFAULT_BITRATE = 96_000
"""Bits per second of other formats: MP3, AAC, M4A."""
UNKNOWN_LENGTH = 0xFFFFFFFF
FORMAT_BYTES = 16
STREAMINFO_END = 26


def require_audio(head: bytes) -> None:
    """Check that the bytes begin like audio. Raises AudioEmpty, AudioUnsupported."""
    if not head:
        raise AudioEmpty("The audio holds no bytes.")
    if not looks_like_audio(head):
        raise AudioUnsupported("The audio does not begin like any accepted audio format.")


def looks_like_audio(head: bytes) -> bool:
    """Whether the bytes begin like WAV, FLAC, MP3, AAC, Ogg, MP4/M4A or WebM."""
    if head[:4] in (b"RIFF", b"RF64"):
        return head[8:12] == b"WAVE"
    if head[4:8] == b"ftyp":
        return True
    return head.startswith((b"fLaC", b"ID3", b"OggS", b"\x1a\x45\xdf\xa3")) or _mpeg_frame(head)


def _mpeg_frame(head: bytes) -> bool:
    """An MPEG layer II or III frame, or AAC in ADTS; a UTF-16 byte order mark (layer I) is neither."""
    if len(head) < MIN_SNIFF_BYTES:
        return False
    bits = int.from_bytes(head[:2], "big")
    return bits & 0xFFF6 == ADTS_SYNC or bits & 0xFFE6 in LAYER_SYNC


def require_transcript(content: bytes) -> None:
    """Check that the content is UTF-8 text with words. Raises TranscriptNotUtf8, TranscriptEmpty."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise TranscriptNotUtf8("The transcript is not UTF-8 text.") from None
    if not text.strip():
        raise TranscriptEmpty("The transcript holds no words.")


def estimate_duration(head: bytes, size: int) -> float:
    """Estimate the seconds of audio in a file of `size` bytes that begins with `head` (HEADER_BYTES are enough).

    Exact for PCM WAV, and for FLAC with a sample count. For other formats it is the size divided by the typical bitrate
    of speech, which may be wrong by a factor of a few. Used for queue estimates and fairness only.
    """
    exact = _wav_seconds(head, size) or _flac_seconds(head)
    if exact is not None:
        return exact
    bitrate = next((rate for magic, rate in TYPICAL_BITRATES if head.startswith(magic)), DEFAULT_BITRATE)
    return 8 * size / bitrate


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
        position += length + length % 2
    return None


def _flac_seconds(head: bytes) -> float | None:
    """Samples divided by the rate, from STREAMINFO: 20 bits rate, 3 channels, 5 depth, 36 samples (RFC 9639, 8.2)."""
    if not head.startswith(b"fLaC") or len(head) < STREAMINFO_END:
        return None
    packed = int.from_bytes(head[18:26], "big")
    rate, samples = packed >> 44, packed & (1 << 36) - 1
    return samples / rate if rate and samples else None
