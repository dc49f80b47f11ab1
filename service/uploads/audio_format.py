"""Checks of audio and transcripts that need no decoder: the format by the first bytes, and text by its coding."""

from __future__ import annotations

from collections.abc import Sequence

from service.errors.request import AudioEmpty, AudioUnsupported, TranscriptEmpty, TranscriptNotUtf8

HEADER_BYTES = 16_384
"""Bytes at the beginning of a file that the checks and the estimate read."""
MIN_SNIFF_BYTES = 12
ADTS_SYNC = 0xFFF0
LAYER_SYNC = (0xFFE2, 0xFFE4)
"""The sync word with the layer bits of III and II; bits outside the mask are version and protection."""
ASF = b"\x30\x26\xb2\x75\x8e\x66\xcf\x11"
MAGIC = (
    *(b"fLaC", b"ID3", b"OggS", b"\x1a\x45\xdf\xa3", b"caff", b".snd", b"#!AMR", b"\x0b\x77", ASF),
    b"riff\x2e\x91\xcf\x11",  # Sony Wave64
)
RIFF_FORMS = {b"RIFF": (b"WAVE",), b"RF64": (b"WAVE",), b"FORM": (b"AIFF", b"AIFC")}
FOREIGN = (
    (8, b"AVI ", "an AVI video"),
    (8, b"WEBP", "a WebP image"),
    (0, b"FLV\x01", "a Flash video"),
    (0, b"\x00\x00\x01\xba", "an MPEG program stream"),
    (0, b".RMF", "RealMedia"),
    (0, b"MAC ", "Monkey's Audio"),
    (0, b"wvpk", "WavPack"),
    (0, b"\x02dss", "a DSS dictation"),
    (0, b"\x03ds2", "a DS2 dictation"),
    (0, b"\x02#!SILK", "a SILK voice message"),
    (0, b"NIST_1A", "a NIST SPHERE file"),
    (0, b"MThd", "a MIDI file"),
    (0, b"%PDF", "a PDF document"),
    (0, b"PK\x03\x04", "a ZIP archive or an Office document"),
    (0, b"\x1f\x8b", "a gzip archive"),
    (0, b"\x89PNG", "a PNG image"),
    (0, b"\xff\xd8\xff", "a JPEG image"),
    (0, b"{\\rtf", "an RTF document"),
    (0, b"WEBVTT", "a WebVTT transcript"),
)
"""First bytes of files that are no accepted audio: offset, bytes, and the name in the refusal."""
DOCUMENTS = (
    (0, b"%PDF", "a PDF document"),
    (0, b"PK\x03\x04", "a Word document or another ZIP archive"),
    (0, b"\xd0\xcf\x11\xe0", "a Word document of before 2007"),
    (0, b"\x1f\x8b", "a gzip archive"),
    (0, b"RIFF", "an audio file"),
    (0, b"fLaC", "an audio file"),
    (0, b"OggS", "an audio file"),
    (0, b"ID3", "an audio file"),
    (4, b"ftyp", "an audio or video file"),
)
"""First bytes of files that are sent as a transcript and are no text."""
UTF_16_MARKS = (b"\xff\xfe", b"\xfe\xff")


def require_audio(head: bytes) -> None:
    """Check that the bytes begin like audio. Raises AudioEmpty, AudioUnsupported with the name of what they are."""
    if not head:
        raise AudioEmpty("The audio holds no bytes.")
    if not looks_like_audio(head):
        raise AudioUnsupported(describe_foreign(head))


def describe_foreign(head: bytes) -> str:
    """What a file is that does not begin like audio, in a sentence."""
    name = _name_of(head, FOREIGN)
    if name is None:
        return "The audio does not begin like any accepted audio format."
    return f"The audio is {name}, which is not an accepted format."


def describe_document(content: bytes) -> str:
    """What a transcript is that is not text, in a sentence."""
    name = _name_of(content, DOCUMENTS)
    return "The transcript is not UTF-8 text." if name is None else f"The transcript is {name}, not UTF-8 text."


def _name_of(content: bytes, names: Sequence[tuple[int, bytes, str]]) -> str | None:
    return next((name for offset, magic, name in names if content[offset : offset + len(magic)] == magic), None)


def looks_like_audio(head: bytes) -> bool:
    """Whether the bytes begin like a container that docs/audio.md lists; zeros before an MP3 are passed over."""
    if head[:4] in RIFF_FORMS:
        return head[8:12] in RIFF_FORMS[head[:4]]
    if head[4:8] == b"ftyp":
        return True
    return head.startswith(MAGIC) or _mpeg_frame(head) or _after_zeros(head)


def _after_zeros(head: bytes) -> bool:
    """An MP3 behind zeros: voice recorders pad the file to a sector of their memory."""
    rest = head.lstrip(b"\x00")
    padded = len(head) - len(rest) >= MIN_SNIFF_BYTES
    return padded and (rest.startswith(b"ID3") or _mpeg_frame(rest))


def _mpeg_frame(head: bytes) -> bool:
    """An MPEG layer II or III frame, or AAC in ADTS; a UTF-16 byte order mark (layer I) is neither."""
    if len(head) < MIN_SNIFF_BYTES:
        return False
    bits = int.from_bytes(head[:2], "big")
    return bits & 0xFFF6 == ADTS_SYNC or bits & 0xFFE6 in LAYER_SYNC


def require_transcript(content: bytes) -> None:
    """Check that the content is text with words: UTF-8, or UTF-16 with its byte order mark, which Windows tools write.

    Raises TranscriptNotUtf8 with the name of a document of another kind, and TranscriptEmpty.
    """
    try:
        # With `-sig`, because a file that holds nothing but a byte order mark has no words.
        text = content.decode("utf-16" if content.startswith(UTF_16_MARKS) else "utf-8-sig")
    except UnicodeDecodeError:
        raise TranscriptNotUtf8(describe_document(content)) from None
    if not text.strip():
        raise TranscriptEmpty("The transcript holds no words.")
