"""XML as a flat sequence of events, without a tree: a document type, and with it any entity, is refused."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal
from xml.parsers import expat

from model.errors import TranscriptUnreadable

DEEPEST = 200
# Bounds the memory: an interview of hours with a tier of words has less than 200,000 elements.
MOST_ELEMENTS = 400_000
_ROOT = re.compile(
    r"\s*(?:<\?xml[^>]*\?>\s*)?(?:<!--[^>]*-->\s*)?<(?:!DOCTYPE\s{1,9})?(?:[A-Za-z_][\w.\-]{0,40}:)?([A-Za-z_][\w.\-]{0,60})[\s>/]"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class XmlEvent:
    """Start or end of an element with its local name, or text; `line` is counted from 1."""

    kind: Literal["start", "end", "text"]
    name: str
    line: int
    attributes: Mapping[str, str] = field(default_factory=dict)


def root_name(text: str) -> str | None:
    """The local name of the root element, without parsing the document; None if the text is not XML."""
    match = _ROOT.match(text[:4096])
    return match[1] if match else None


def xml_events(text: str) -> Iterator[XmlEvent]:
    """The events of a document in order; names and attributes without their namespaces.

    Raises TranscriptUnreadable with the line if the document is malformed, declares a document type or is nested too
    deeply.
    """
    events: list[XmlEvent] = []
    depth = 0
    # The text is decoded: what its declaration says of an encoding is no longer true.
    parser = expat.ParserCreate("utf-8", namespace_separator=" ")
    parser.buffer_text = True

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > DEEPEST or len(events) > 2 * MOST_ELEMENTS:
            where = f"Line {parser.CurrentLineNumber} of the XML"
            raise TranscriptUnreadable(
                f"{where} is nested too deeply, or the XML has more than {MOST_ELEMENTS} elements."
            )
        local = {key.rpartition(" ")[2]: value for key, value in attributes.items()}
        events.append(XmlEvent(kind="start", name=_local(name), line=parser.CurrentLineNumber, attributes=local))

    def end(name: str) -> None:
        nonlocal depth
        depth -= 1
        events.append(XmlEvent(kind="end", name=_local(name), line=parser.CurrentLineNumber))

    def words(data: str) -> None:
        events.append(XmlEvent(kind="text", name=data, line=parser.CurrentLineNumber))

    def refuse(*_: object) -> None:
        raise TranscriptUnreadable("The XML declares a document type, which is not accepted; send it without one.")

    parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = start, end, words
    parser.StartDoctypeDeclHandler = refuse
    try:
        parser.Parse(text.lstrip().encode(), True)
    except expat.ExpatError as error:
        raise TranscriptUnreadable(f"Line {error.lineno} of the XML is malformed.") from None
    return iter(events)


def _local(name: str) -> str:
    return name.rpartition(" ")[2]
