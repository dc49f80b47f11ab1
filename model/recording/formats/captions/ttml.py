"""Timed Text Markup Language (TTML, DFXP, IMSC)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from model.errors import TranscriptUnreadable
from model.recording.formats.clock import parse_clock
from model.recording.formats.parsed import ParsedTranscript
from model.recording.formats.xml_events import XmlEvent, xml_events
from model.recording.utterance import Utterance

_OFFSET = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,9})?)(h|ms|m|s|f|t)")
_FRAMES = re.compile(r"([0-9]{1,4}:[0-9]{2}:[0-9]{2}):([0-9]{1,4}(?:\.[0-9]{1,4})?)")
_UNITS = {"h": "hours", "m": "minutes", "s": "seconds", "ms": "milliseconds", "f": "frames", "t": "ticks"}
_CONTAINERS = {"body", "div", "p", "span"}


@dataclass(slots=True, kw_only=True)
class _Rates:
    """Frames and ticks of a second, and the unit of the first time of the document."""

    frames: float = 30.0
    ticks: float = 1.0
    unit: str = "clock"


@dataclass(slots=True, kw_only=True)
class _Element:
    """An element of the body that is open: its times and speaker, inherited where it has none of its own."""

    begin: float
    end: float | None
    agent: str | None
    timed: bool


@dataclass(slots=True, kw_only=True)
class _Paragraph:
    """The words of a paragraph, collected until it closes; `spans` are the times of its timed parts."""

    element: _Element
    words: list[str] = field(default_factory=list)
    spans: list[_Element] = field(default_factory=list)


def parse_ttml(text: str) -> ParsedTranscript:
    """An utterance for each `p`; the speaker is its `ttm:agent`, else a consistent `Speaker: ` prefix.

    Raises TranscriptUnreadable with the line of a malformed time.
    """
    events = list(xml_events(text))
    rates = _rates(events[0] if events else None)
    agents = _agent_names(events)
    body = _Body(rates)
    closed = [(body.take(event), event.line) for event in events]
    utterances = [_utterance(paragraph, agents, line) for paragraph, line in closed if paragraph is not None]
    return ParsedTranscript(format="ttml", time_unit=rates.unit, utterances=utterances)


def _rates(root: XmlEvent | None) -> _Rates:
    attributes = root.attributes if root else {}
    frames = _number(attributes.get("frameRate")) or 30.0
    multiplier = [_number(part) for part in attributes.get("frameRateMultiplier", "1 1").split()[:2]]
    if len(multiplier) == len(["numerator", "denominator"]) and all(multiplier):
        frames *= multiplier[0] / multiplier[1]
    ticks = _number(attributes.get("tickRate")) or (frames if "frameRate" in attributes else 1.0)
    return _Rates(frames=frames, ticks=ticks)


def _number(text: str | None) -> float:
    return float(text) if text and text.isascii() and text.isdigit() and len(text) <= len("1000000000") else 0.0


def _agent_names(events: list[XmlEvent]) -> dict[str, str]:
    """The names of the document's agents by their ids."""
    names: dict[str, str] = {}
    agent, inside = "", False
    for event in events:
        if event.kind == "start" and event.name == "agent":
            agent = event.attributes.get("id", "")
        elif event.name == "name" and event.kind != "text":
            inside = event.kind == "start"
        elif event.kind == "text" and inside and agent and event.name.strip():
            names.setdefault(agent, " ".join(event.name.split()))
        elif event.kind == "end" and event.name == "agent":
            agent = ""
    return names


class _Body:
    """The elements that are open while the events of a document pass by."""

    def __init__(self, rates: _Rates) -> None:
        self._rates = rates
        self._open = [_Element(begin=0.0, end=None, agent=None, timed=False)]
        self._metadata = 0
        self._paragraph: _Paragraph | None = None

    def take(self, event: XmlEvent) -> _Paragraph | None:
        """Take one event; returns a paragraph when it closes."""
        if event.name == "metadata" and event.kind != "text":
            self._metadata += 1 if event.kind == "start" else -1
        elif event.kind == "text" and not self._metadata:
            self._say(event.name)
        elif event.kind == "start":
            self._start(event)
        elif event.kind == "end" and event.name in _CONTAINERS:
            self._open.pop()
            if event.name == "p":
                closed, self._paragraph = self._paragraph, None
                return closed
        return None

    def _start(self, event: XmlEvent) -> None:
        if event.name == "br":
            self._say("\n")
        if event.name not in _CONTAINERS:
            return
        element = _opened(event, self._open[-1], self._rates)
        self._open.append(element)
        if event.name == "p":
            self._paragraph = _Paragraph(element=element)
        elif event.name == "span" and self._paragraph is not None and element.timed:
            self._paragraph.spans.append(element)

    def _say(self, words: str) -> None:
        if self._paragraph is not None:
            self._paragraph.words.append(words)


def _opened(event: XmlEvent, parent: _Element, rates: _Rates) -> _Element:
    begin = _time(event, "begin", rates)
    end, duration = _time(event, "end", rates), _time(event, "dur", rates)
    start = parent.begin + (begin or 0.0)
    stop = parent.begin + end if end is not None else parent.end
    if duration is not None:
        stop = start + duration if end is None or stop is None else min(stop, start + duration)
    agent = event.attributes.get("agent", "").split()
    return _Element(
        begin=start,
        end=stop,
        agent=agent[0] if agent else parent.agent,
        timed=begin is not None or end is not None or duration is not None or parent.timed,
    )


def _utterance(paragraph: _Paragraph, agents: dict[str, str], line: int) -> Utterance:
    element = paragraph.element
    words = "\n".join(" ".join(part.split()) for part in "".join(paragraph.words).split("\n")).strip()
    timed = [element] if element.timed else paragraph.spans
    start = min((part.begin for part in timed), default=None)
    ends = [part.end for part in timed if part.end is not None]
    end = max(ends) if ends else None
    if start is not None and end is not None and start > end:
        raise TranscriptUnreadable(f"The paragraph of the TTML that ends in line {line} ends before it begins.")
    speaker = agents.get(element.agent or "", element.agent)
    return Utterance(start=start, end=end, text=words, speaker=speaker)


def _time(event: XmlEvent, attribute: str, rates: _Rates) -> float | None:
    text = event.attributes.get(attribute)
    if text is None:
        return None
    seconds = _seconds(text.strip(), rates)
    if seconds is None:
        raise TranscriptUnreadable(f"Line {event.line} of the TTML has a malformed {attribute}; 00:00:01.500 is right.")
    return seconds


def _seconds(text: str, rates: _Rates) -> float | None:
    offset = _OFFSET.fullmatch(text)
    if offset is not None:
        rates.unit = _UNITS[offset[2]]
        factor = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001, "f": 1 / rates.frames, "t": 1 / rates.ticks}[offset[2]]
        return float(offset[1]) * factor
    frames = _FRAMES.fullmatch(text)
    if frames is not None:
        whole = parse_clock(frames[1])
        return None if whole is None else whole + float(frames[2]) / rates.frames
    return parse_clock(text)
