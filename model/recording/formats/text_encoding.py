"""The bytes of a transcript as text, and the documents that are refused by their name."""

from __future__ import annotations

import re
import unicodedata
from functools import cache

from model.errors import TranscriptUnreadable
from model.recording.formats.annotations.chat import looks_like_chat
from model.recording.notice import Notice

# UAX #15 bounds the combining marks after a letter to 30; more would take normalisation quadratic time.
MOST_MARKS = 30
LAST_MARK = 0x1_F000
# Tibetan vowel signs that are no combining marks but become two.
_SPLIT_MARKS = "\u0f73\u0f75\u0f81"
# NUL and other control characters mark a binary file. CHAT marks its times with U+0015.
_BINARY = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")
_BINARY_BUT_BULLETS = re.compile(r"[\x00-\x08\x0e-\x14\x16-\x1a\x1c-\x1f\x7f]")
_UTF_16 = {b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}
_SIGNATURES = (
    (b"{\\rtf", "an RTF document"),
    (b"%PDF", "a PDF document"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "a Word or Excel document of before 2007"),
    (b"ooBinaryFile", "a binary file of Praat (save it as a text file)"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"7z\xbc\xaf", "a 7z archive"),
    (b"RIFF", "an audio file"),
    (b"ID3", "an audio file"),
    (b"OggS", "an audio file"),
    (b"fLaC", "an audio file"),
    (b"\x1aE\xdf\xa3", "an audio or video file"),
    (b"\x89PNG", "an image"),
    (b"\xff\xd8\xff", "an image"),
)
_ZIP_CONTENTS = (
    (b"word/", "a Word document (DOCX)"),
    (b"xl/", "an Excel workbook (XLSX)"),
    (b"ppt/", "a PowerPoint presentation (PPTX)"),
    (b"opendocument.text", "an OpenDocument text (ODT)"),
    (b"opendocument.spreadsheet", "an OpenDocument spreadsheet (ODS)"),
)
_HTML = re.compile(
    r"\s*(?:<\?xml[^>]{0,200}>\s*)?(?:<!--[^>]{0,2000}-->\s*)?<(?:!doctype\s+html|html|head|body)\b", re.IGNORECASE
)
_DOCUMENT_ADVICE = (
    "Save or export the transcript as plain text (UTF-8), or in a format with times: WebVTT, SRT, JSON, TextGrid, "
    "ELAN, CHAT, ASS, TTML or a table with start, end, speaker and text."
)


def decode_text(content: bytes) -> tuple[str, tuple[Notice, ...]]:
    """The text with `\\n` line ends in normal form C, and a notice if it was not UTF-8.

    UTF-8 and, with a byte order mark, UTF-16 are read. Raises TranscriptUnreadable for other encodings, for binary
    files, and for documents of word processors by their name.
    """
    _refuse_document(content)
    text, notices = _decoded(content)
    binary = (_BINARY_BUT_BULLETS if looks_like_chat(text) else _BINARY).search(text)
    if binary is not None:
        line = text.count("\n", 0, binary.start()) + 1
        raise TranscriptUnreadable(f"The transcript holds control characters in line {line}: it is not text.")
    if _HTML.match(text[:4096]):
        raise TranscriptUnreadable("The transcript is an HTML page.", advice=_DOCUMENT_ADVICE)
    return _normal(text.replace("\r\n", "\n").replace("\r", "\n")), notices


def _refuse_document(content: bytes) -> None:
    start = content[:64].lstrip()
    kind = next((kind for signature, kind in _SIGNATURES if start.startswith(signature)), None)
    if start.startswith(b"PK\x03\x04"):
        listed = content[:4096] + content[-65_536:]
        kind = next((kind for part, kind in _ZIP_CONTENTS if part in listed), "a ZIP archive")
    elif start[4:8] == b"ftyp":
        kind = "an audio or video file"
    if kind is not None:
        raise TranscriptUnreadable(f"The transcript is {kind}, not text.", advice=_DOCUMENT_ADVICE)


def _decoded(content: bytes) -> tuple[str, tuple[Notice, ...]]:
    encoding = _UTF_16.get(content[:2])
    try:
        if encoding is None:
            return content.decode("utf-8-sig"), ()
        message = (
            "The transcript is UTF-16, as its byte order mark says; it was converted. UTF-8 is the usual encoding."
        )
        text = content[2:].decode(encoding)
        return text, (Notice(code="transcript_encoding_converted", message=message),)
    except UnicodeDecodeError as error:
        if encoding is not None:
            raise TranscriptUnreadable("The transcript is damaged UTF-16 text.") from None
        raise _not_utf_8(content, error.start) from None


def _not_utf_8(content: bytes, position: int) -> TranscriptUnreadable:
    line = content.count(b"\n", 0, position) + 1
    guess = "; it may be UTF-16" if content[:4096].count(b"\0") else "; it may be Windows-1252 or Latin-1"
    return TranscriptUnreadable(
        f"The transcript is not UTF-8 text: line {line} holds other bytes{guess}.",
        advice="Save the transcript as UTF-8. Other encodings are not guessed, since names and words would change.",
    )


def _normal(text: str) -> str:
    if text.isascii():
        return text
    position = _excess_mark(text)
    if position is not None:
        line = text.count("\n", 0, position) + 1
        raise TranscriptUnreadable(f"Line {line} has more than {MOST_MARKS} combining marks on one letter.")
    return unicodedata.normalize("NFC", text)


def _excess_mark(text: str) -> int | None:
    """Where more than 30 combining marks follow each other.

    Only each 31st character and its neighbours are looked at: a longer run holds at least one of them.
    """
    marks = _marks()
    for position in range(0, len(text), MOST_MARKS + 1):
        first = last = position
        while first >= 0 and text[first] in marks and position - first <= MOST_MARKS:
            first -= 1
        while last < len(text) and text[last] in marks and last - position <= MOST_MARKS:
            last += 1
        if last - first - 1 > MOST_MARKS:
            return position
    return None


@cache
def _marks() -> frozenset[str]:
    characters = (chr(code) for code in range(0x300, LAST_MARK))
    return frozenset(
        character for character in characters if unicodedata.combining(character) or character in _SPLIT_MARKS
    )
