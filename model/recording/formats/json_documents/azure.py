"""JSON of Azure Speech: batch transcription, fast transcription and the results of the SDK."""

from __future__ import annotations

from typing import Any

from model.recording.formats.json_documents.fields import (
    as_list,
    as_object,
    first_of,
    object_at,
    read_speaker,
    read_text,
    read_time,
)
from model.recording.formats.parsed import ParsedTranscript
from model.recording.formats.time_units import MILLISECONDS, TICKS, in_seconds
from model.recording.utterance import Utterance


def parse_azure_batch(items: list[Any]) -> ParsedTranscript:
    """Recognised phrases with ticks of 100 ns, or ISO 8601 durations where there are none."""
    utterances, unit = [], "ticks"
    several = len({str(as_object(item).get("channel")) for item in items}) > 1
    for number in range(1, len(items) + 1):
        item = object_at(items, number)
        if item.get("recognitionStatus", "Success") != "Success":
            continue
        best = as_object(next(iter(as_list(item.get("nBest"))), None))
        start = read_time(first_of(item, ("offsetInTicks",)), number, "offset")
        length = read_time(first_of(item, ("durationInTicks",)), number, "duration")
        scale = TICKS
        if start is None:
            start = read_time(item.get("offset"), number, "offset")
            length = read_time(item.get("duration"), number, "duration")
            scale, unit = 1.0, "iso_8601"
        text = read_text(first_of(best, ("display", "lexical")), number)
        speaker = _speaker(item, number, several=several)
        utterances.append(in_seconds(_phrase(start, length, text, speaker), scale))
    return ParsedTranscript(format="azure_speech_json", time_unit=unit, utterances=utterances)


def parse_azure_fast(items: list[Any]) -> ParsedTranscript:
    """Phrases of the fast transcription, in milliseconds."""
    utterances = []
    several = len({str(as_object(item).get("channel")) for item in items}) > 1
    for number in range(1, len(items) + 1):
        item = object_at(items, number)
        start = read_time(first_of(item, ("offsetMilliseconds", "offset")), number, "offset")
        length = read_time(first_of(item, ("durationMilliseconds", "duration")), number, "duration")
        text, speaker = read_text(item.get("text"), number), _speaker(item, number, several=several)
        utterances.append(in_seconds(_phrase(start, length, text, speaker), MILLISECONDS))
    return ParsedTranscript(format="azure_speech_json", time_unit="milliseconds", utterances=utterances)


def parse_azure_sdk(items: list[Any]) -> ParsedTranscript:
    """Detailed results of the Speech SDK, in ticks of 100 ns."""
    utterances = []
    for number in range(1, len(items) + 1):
        item = object_at(items, number)
        best = as_object(next(iter(as_list(item.get("NBest"))), None))
        start = read_time(item.get("Offset"), number, "offset")
        length = read_time(item.get("Duration"), number, "duration")
        text = read_text(first_of(item, ("DisplayText",)) or first_of(best, ("Display", "Lexical")), number)
        speaker = read_speaker(item.get("SpeakerId"), number)
        utterances.append(in_seconds(_phrase(start, length, text, speaker), TICKS))
    return ParsedTranscript(format="azure_speech_json", time_unit="ticks", utterances=utterances)


def _phrase(start: float | None, length: float | None, text: str, speaker: str | None) -> Utterance:
    end = None if start is None or length is None else start + length
    return Utterance(start=start, end=end, text=text, speaker=speaker)


def _speaker(item: dict[str, Any], number: int, *, several: bool) -> str | None:
    speaker = read_speaker(item.get("speaker"), number)
    if speaker is None and several and isinstance(item.get("channel"), int):
        return f"Channel {item['channel'] + 1}"
    return speaker
