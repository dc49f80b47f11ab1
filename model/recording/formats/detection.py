"""Which format a text has, by its content; file names and types are not asked."""

from __future__ import annotations

import re

from model.errors import TranscriptUnreadable
from model.recording.formats.annotations.chat import looks_like_chat, parse_chat
from model.recording.formats.annotations.elan import parse_elan
from model.recording.formats.annotations.textgrid import looks_like_textgrid, parse_textgrid
from model.recording.formats.captions.ass import looks_like_ass, parse_ass
from model.recording.formats.captions.simple_subtitles import looks_like_lrc, looks_like_sbv, parse_lrc, parse_sbv
from model.recording.formats.captions.subrip import looks_like_subrip, parse_subrip
from model.recording.formats.captions.ttml import parse_ttml
from model.recording.formats.captions.webvtt import parse_webvtt
from model.recording.formats.json_documents.documents import parse_json
from model.recording.formats.parsed import ParsedTranscript
from model.recording.formats.plain_text import parse_plain_text
from model.recording.formats.tables import parse_table, table_header
from model.recording.formats.xml_events import root_name

_WEBVTT = re.compile(r"WEBVTT(?!\S)")
_JSON = re.compile(r'\s*(\{\s*["}]|\[\s*[\[{\]])')
# In this order: a format that is recognised surely stands before one that others resemble.
_RECOGNISED = (
    (looks_like_textgrid, parse_textgrid),
    (looks_like_chat, parse_chat),
    (looks_like_ass, parse_ass),
    (looks_like_subrip, parse_subrip),
    (looks_like_sbv, parse_sbv),
    (looks_like_lrc, parse_lrc),
)


def parse_text(text: str, longest: float) -> ParsedTranscript:
    """Parse decoded text with the parser of its format; `longest` is the longest recording in seconds.

    Raises TranscriptUnreadable and TranscriptTooLong as the parsers do.
    """
    if _WEBVTT.match(text):
        return parse_webvtt(text)
    if _JSON.match(text):
        return parse_json(text)
    root = root_name(text)
    if root is not None:
        return _parse_xml(text, root)
    for looks_right, parse in _RECOGNISED:
        if looks_right(text):
            return parse(text)
    header = table_header(text)
    if header is not None:
        return parse_table(text, header)
    return parse_plain_text(text, longest)


def _parse_xml(text: str, root: str) -> ParsedTranscript:
    if root == "tt":
        return parse_ttml(text)
    if root == "ANNOTATION_DOCUMENT":
        return parse_elan(text)
    raise TranscriptUnreadable(
        "The transcript is XML of a kind that is not known; TTML and ELAN are.",
        advice="Export it as TTML, ELAN, WebVTT, SRT, JSON or plain text.",
    )
