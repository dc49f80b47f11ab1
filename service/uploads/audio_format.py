"""What may be assessed: checks of audio and transcripts that need no decoder."""

from __future__ import annotations

from service.errors.request import AudioEmpty, AudioUnsupported, TranscriptEmpty, TranscriptNotUtf8

HEADER_BYTES = 4096
"""How much of a file's beginning is looked at."""
MIN_SNIFF_BYTES = 12
ADTS_SYNC = 0xFFF0
LAYER_SYNC = (0xFFE2, 0xFFE4)
"""The sync word with the layer bits of III and II; bits outside the mask are version and protection."""


def require_audio(head: bytes) -> None:
    """Refuse what does not begin like audio. Raises AudioEmpty, AudioUnsupported."""
    if not head:
        raise AudioEmpty("The audio holds no bytes.")
    if not looks_like_audio(head):
        raise AudioUnsupported("The audio does not begin like any accepted audio format.")


def looks_like_audio(head: bytes) -> bool:
    """Whether the leading bytes are those of WAV, FLAC, MP3, AAC, Ogg, MP4/M4A or WebM."""
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
    """Refuse what is no text. Raises TranscriptNotUtf8, TranscriptEmpty."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise TranscriptNotUtf8("The transcript is not UTF-8 text.") from None
    if not text.strip():
        raise TranscriptEmpty("The transcript holds no words.")
