"""JSON of Whisper and its relatives, and our own JSON of utterances: lists of times, text and speaker."""

from __future__ import annotations

from typing import Any

from model.errors import TranscriptUnreadable
from model.recording.formats.json_documents.fields import (
    as_object,
    first_of,
    is_clock,
    object_at,
    read_speaker,
    read_text,
    read_time,
)
from model.recording.formats.parsed import ParsedTranscript, count_notice
from model.recording.formats.time_units import MILLISECONDS, in_seconds, settle_unit
from model.recording.notice import Notice
from model.recording.utterance import Utterance

_START = ("start", "start_time", "startTime", "begin", "from")
_END = ("end", "end_time", "endTime", "stop_time", "stop", "to")
_TEXT = ("text", "transcript", "utterance", "value", "content")
_SPEAKER = ("speaker", "speaker_label", "speakerLabel", "speaker_id", "speaker_name", "role", "name")


def parse_segments(items: list[Any], document: dict[str, Any]) -> ParsedTranscript:
    """Whisper, WhisperX, or our own utterances; times are seconds or, where the words say so, milliseconds.

    Raises TranscriptUnreadable with the number and field of a malformed item.
    """
    utterances, silent, clock = [], [], False
    for number in range(1, len(items) + 1):
        item = object_at(items, number)
        start, end = first_of(item, _START), first_of(item, _END)
        clock = clock or is_clock(start)
        text = read_text(first_of(item, _TEXT), number)
        if not any(name in item for name in _TEXT):
            raise TranscriptUnreadable(f"Utterance {number} of the JSON transcript has an invalid text.")
        if item.get(next(name for name in _TEXT if name in item)) is None and not text:
            silent.append(f"utterance {number}")
        utterances.append(
            Utterance(
                start=read_time(start, number, "start"),
                end=read_time(end, number, "end"),
                text=text,
                speaker=read_speaker(first_of(item, _SPEAKER), number),
            )
        )
    settled, unit, notices = (utterances, "clock", ()) if clock else settle_unit(utterances)
    return ParsedTranscript(
        format=_segment_format(items, document),
        time_unit=unit,
        utterances=settled,
        notices=(*_silent_notice(silent), *notices),
    )


def parse_whisper_cpp(items: list[Any]) -> ParsedTranscript:
    """The output of whisper.cpp, with offsets in milliseconds."""
    utterances, silent = [], []
    for number in range(1, len(items) + 1):
        item = object_at(items, number)
        offsets = as_object(item.get("offsets"))
        if item.get("text") is None:
            silent.append(f"utterance {number}")
        spoken = Utterance(
            start=read_time(offsets.get("from"), number, "offset"),
            end=read_time(offsets.get("to"), number, "offset"),
            text=read_text(item.get("text"), number),
            speaker=read_speaker(item.get("speaker"), number),
        )
        utterances.append(in_seconds(spoken, MILLISECONDS))
    return ParsedTranscript(
        format="whisper_cpp_json", time_unit="milliseconds", utterances=utterances, notices=_silent_notice(silent)
    )


def parse_chunks(items: list[Any]) -> ParsedTranscript:
    """The chunks of Hugging Face transformers, each with a pair of seconds of which the last may be null."""
    utterances, silent = [], []
    for number in range(1, len(items) + 1):
        item = object_at(items, number)
        pair = item.get("timestamp")
        if pair is not None and not (isinstance(pair, list) and len(pair) == len(("start", "end"))):
            raise TranscriptUnreadable(f"Utterance {number} of the JSON transcript has an invalid timestamp.")
        start, end = pair if pair is not None else (None, None)
        if item.get("text") is None:
            silent.append(f"utterance {number}")
        utterances.append(
            Utterance(
                start=read_time(start, number, "timestamp"),
                end=read_time(end, number, "timestamp"),
                text=read_text(item.get("text"), number),
                speaker=read_speaker(item.get("speaker"), number),
            )
        )
    settled, unit, notices = settle_unit(utterances)
    return ParsedTranscript(
        format="transformers_json", time_unit=unit, utterances=settled, notices=(*_silent_notice(silent), *notices)
    )


def _segment_format(items: list[Any], document: dict[str, Any]) -> str:
    if "segments" not in document:
        return "json"
    first = as_object(items[0]) if items else {}
    aligned = "word_segments" in document or any(
        str(as_object(item).get("speaker", "")).startswith("SPEAKER_") for item in items[:100]
    )
    if aligned:
        return "whisperx_json"
    return "whisper_json" if "language" in document or "seek" in first or "id" in first else "json"


def _silent_notice(silent: list[str]) -> tuple[Notice, ...]:
    return count_notice("transcript_text_missing", "Utterances of the transcript without text were skipped", silent)
