"""ELAN (.eaf): tiers of annotations between the slots of a time line."""

from __future__ import annotations

from dataclasses import dataclass, field

from model.errors import TranscriptUnreadable
from model.recording.formats.parsed import ParsedTranscript, count_notice
from model.recording.formats.xml_events import XmlEvent, xml_events
from model.recording.utterance import Utterance

MOST_DIGITS = 12


@dataclass(slots=True, kw_only=True)
class _Tier:
    """A tier: its speaker, whether it depends on another, and its annotations as slots and words."""

    speaker: str
    dependent: bool
    annotations: list[tuple[str, str, str]] = field(default_factory=list)


def parse_elan(text: str) -> ParsedTranscript:
    """Utterances of the independent tiers; the speaker is the tier's participant, else its name.

    Tiers that depend on others (translations, glosses) are left out with a notice. Raises TranscriptUnreadable with the
    line of a malformed time.
    """
    events = list(xml_events(text))
    slots = _slots(events)
    tiers = [tier for tier in _tiers(events) if any(words.strip() for _, _, words in tier.annotations)]
    independent = [tier for tier in tiers if not tier.dependent] or tiers
    utterances = [
        Utterance(start=slots.get(begin), end=slots.get(end), text=words, speaker=tier.speaker or None)
        for tier in independent
        for begin, end, words in tier.annotations
    ]
    left_out = [f"tier {number}" for number, tier in enumerate(tiers, start=1) if tier not in independent]
    notices = count_notice("transcript_tier_skipped", "Tiers that depend on another tier were left out", left_out)
    return ParsedTranscript(format="elan", time_unit="milliseconds", utterances=utterances, notices=notices)


def _slots(events: list[XmlEvent]) -> dict[str, float | None]:
    """Seconds of each time slot; None for a slot that is not aligned."""
    slots: dict[str, float | None] = {}
    for event in events:
        if event.kind == "start" and event.name == "HEADER":
            units = event.attributes.get("TIME_UNITS", "milliseconds")
            if units != "milliseconds":
                raise TranscriptUnreadable(f"Line {event.line} of the ELAN file counts in frames, not in milliseconds.")
        if event.kind == "start" and event.name == "TIME_SLOT":
            value = event.attributes.get("TIME_VALUE")
            slots[event.attributes.get("TIME_SLOT_ID", "")] = None if value is None else _seconds(value, event.line)
    return slots


def _seconds(value: str, line: int) -> float:
    if not (value.isascii() and value.isdigit() and len(value) <= MOST_DIGITS):
        raise TranscriptUnreadable(f"Line {line} of the ELAN file has a malformed time.")
    return int(value) / 1000


def _tiers(events: list[XmlEvent]) -> list[_Tier]:
    tiers: list[_Tier] = []
    begin, end, inside = "", "", False
    words: list[str] = []
    for event in events:
        if event.kind == "start" and event.name == "TIER":
            speaker = event.attributes.get("PARTICIPANT", "").strip() or event.attributes.get("TIER_ID", "").strip()
            tiers.append(_Tier(speaker=speaker, dependent="PARENT_REF" in event.attributes))
        elif event.kind == "start" and event.name in {"ALIGNABLE_ANNOTATION", "REF_ANNOTATION"}:
            begin = event.attributes.get("TIME_SLOT_REF1", "")
            end = event.attributes.get("TIME_SLOT_REF2", "")
        elif event.name == "ANNOTATION_VALUE" and event.kind != "text":
            inside = event.kind == "start"
            if inside:
                words = []
            elif tiers:
                tiers[-1].annotations.append((begin, end, "".join(words)))
        elif event.kind == "text" and inside:
            words.append(event.name)
    return tiers
