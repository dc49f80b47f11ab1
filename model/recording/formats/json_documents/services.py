"""JSON of speech services: AssemblyAI, Deepgram, AWS Transcribe and Google Speech-to-Text."""

from __future__ import annotations

from collections.abc import Sequence
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
from model.recording.formats.json_documents.words import join_group, join_utterances
from model.recording.formats.parsed import ParsedTranscript
from model.recording.formats.time_units import MILLISECONDS, in_seconds
from model.recording.utterance import Utterance

NANOSECONDS = 1e9


def parse_assemblyai(document: dict[str, Any]) -> ParsedTranscript:
    """AssemblyAI: utterances in milliseconds, or words where no speakers were asked for."""
    items = as_list(document.get("utterances"))
    if items:
        utterances = [_spoken(items, number, ("text",)) for number in range(1, len(items) + 1)]
    else:
        words = as_list(document.get("words"))
        spoken = [in_seconds(_spoken(words, number, ("text",)), MILLISECONDS) for number in range(1, len(words) + 1)]
        return _parsed("assemblyai_json", "milliseconds", join_utterances(spoken), document.get("text"))
    return _parsed("assemblyai_json", "milliseconds", [in_seconds(spoken, MILLISECONDS) for spoken in utterances])


def parse_deepgram(results: dict[str, Any]) -> ParsedTranscript:
    """Deepgram: utterances, else the sentences of paragraphs, else words; in seconds."""
    channels = as_list(results.get("channels"))
    items = as_list(results.get("utterances"))
    if items:
        numbered = range(1, len(items) + 1)
        several = len({as_object(item).get("channel") for item in items[:1000] if _is_number(item, "channel")}) > 1
        spoken = [_spoken(items, number, ("transcript",), channel=several) for number in numbered]
        return _parsed("deepgram_json", "seconds", spoken)
    utterances: list[Utterance] = []
    texts: list[str] = []
    for number, channel in enumerate(channels, start=1):
        best = as_object(next(iter(as_list(as_object(channel).get("alternatives"))), None))
        speaker = f"Channel {number}" if len(channels) > 1 else None
        utterances += [_named(spoken, speaker) for spoken in _deepgram_channel(best)]
        texts.append(read_text(best.get("transcript"), number))
    return _parsed("deepgram_json", "seconds", utterances, " ".join(texts))


def parse_aws(results: dict[str, Any]) -> ParsedTranscript:
    """AWS Transcribe: audio segments, else items joined by the segments of speakers; in seconds."""
    segments = as_list(results.get("audio_segments"))
    if segments:
        spoken = [_spoken(segments, number, ("transcript",)) for number in range(1, len(segments) + 1)]
        return _parsed("aws_transcribe_json", "seconds", spoken)
    items = as_list(results.get("items"))
    segment_of, labels = _aws_segments(as_object(results.get("speaker_labels")))
    groups: list[tuple[int, list[Utterance]]] = []
    for number in range(1, len(items) + 1):
        item = object_at(items, number)
        best = as_object(next(iter(as_list(item.get("alternatives"))), None))
        content = read_text(best.get("content"), number)
        if item.get("type") == "punctuation" and groups:
            last = groups[-1][1][-1]
            groups[-1][1][-1] = Utterance(
                start=last.start, end=last.end, text=last.text + content, speaker=last.speaker
            )
            continue
        start, end = read_time(item.get("start_time"), number, "start"), read_time(item.get("end_time"), number, "end")
        position = segment_of.get(str(item.get("start_time")), -1)
        speaker = read_speaker(first_of(item, ("speaker_label",)), number) or labels.get(position)
        word = Utterance(start=start, end=end, text=content, speaker=speaker)
        if groups and position == groups[-1][0]:
            groups[-1][1].append(word)
        else:
            groups.append((position, [word]))
    utterances = [spoken for position, words in groups for spoken in _segment_utterances(position, words)]
    texts = [read_text(as_object(entry).get("transcript"), 1) for entry in as_list(results.get("transcripts"))]
    return _parsed("aws_transcribe_json", "seconds", utterances, " ".join(texts))


def parse_google(results: list[Any]) -> ParsedTranscript:
    """Google Speech-to-Text: words of each result; with speaker tags the last result repeats all words. In seconds."""
    transcripts = [as_object(next(iter(as_list(as_object(result).get("alternatives"))), None)) for result in results]
    spoken = [_google_words(transcript, number) for number, transcript in enumerate(transcripts, start=1)]
    tagged = [any(word.speaker for word in words) for words in spoken]
    if len(spoken) > 1 and tagged[-1] and not any(tagged[:-1]):
        spoken = spoken[-1:]
    utterances = [utterance for words in spoken for utterance in join_utterances(words)]
    texts = [read_text(transcript.get("transcript"), number) for number, transcript in enumerate(transcripts, start=1)]
    return _parsed("google_speech_json", "seconds", utterances, " ".join(texts))


def _parsed(name: str, unit: str, utterances: Sequence[Utterance], text: object = None) -> ParsedTranscript:
    """The transcript; where the document has no utterances, its whole text without times."""
    if not utterances:
        whole = Utterance(start=None, end=None, text=read_text(text, 1), speaker=None)
        return ParsedTranscript(format=name, time_unit=None, utterances=[whole])
    return ParsedTranscript(format=name, time_unit=unit, utterances=utterances)


def _spoken(items: list[Any], number: int, text: tuple[str, ...], *, channel: bool = False) -> Utterance:
    item = object_at(items, number)
    speaker = read_speaker(first_of(item, ("speaker", "speaker_label")), number)
    if channel and isinstance(item.get("channel"), int):
        speaker = f"Channel {item['channel'] + 1}"
    return Utterance(
        start=read_time(first_of(item, ("start", "start_time")), number, "start"),
        end=read_time(first_of(item, ("end", "end_time")), number, "end"),
        text=read_text(first_of(item, text), number),
        speaker=speaker,
    )


def _is_number(item: object, name: str) -> bool:
    return isinstance(as_object(item).get(name), int)


def _named(spoken: Utterance, speaker: str | None) -> Utterance:
    if speaker is None:
        return spoken
    return Utterance(start=spoken.start, end=spoken.end, text=spoken.text, speaker=speaker)


def _deepgram_channel(best: dict[str, Any]) -> list[Utterance]:
    utterances: list[Utterance] = []
    for number, paragraph in enumerate(as_list(as_object(best.get("paragraphs")).get("paragraphs")), start=1):
        speaker = read_speaker(as_object(paragraph).get("speaker"), number)
        sentences = as_list(as_object(paragraph).get("sentences"))
        utterances += [_named(_spoken(sentences, at, ("text",)), speaker) for at in range(1, len(sentences) + 1)]
    if utterances:
        return utterances
    words = as_list(best.get("words"))
    names = ("punctuated_word", "word")
    return join_utterances([_spoken(words, number, names) for number in range(1, len(words) + 1)])


def _aws_segments(labels: dict[str, Any]) -> tuple[dict[str, int], dict[int, str]]:
    """The position in which each start time lies, and the speaker of each position."""
    segment_of: dict[str, int] = {}
    speakers: dict[int, str] = {}
    for number, segment in enumerate(as_list(labels.get("segments")), start=1):
        label = read_speaker(as_object(segment).get("speaker_label"), number)
        if label is not None:
            speakers[number] = label
        for item in as_list(as_object(segment).get("items")):
            segment_of[str(as_object(item).get("start_time"))] = number
    return segment_of, speakers


def _segment_utterances(position: int, words: list[Utterance]) -> list[Utterance]:
    return [join_group(words)] if position >= 0 else join_utterances(words)


def _google_words(transcript: dict[str, Any], number: int) -> list[Utterance]:
    words = []
    for item in as_list(transcript.get("words")):
        word = as_object(item)
        words.append(
            Utterance(
                start=_google_time(first_of(word, ("startTime", "startOffset", "start_time", "start_offset")), number),
                end=_google_time(first_of(word, ("endTime", "endOffset", "end_time", "end_offset")), number),
                text=read_text(word.get("word"), number),
                speaker=read_speaker(
                    first_of(word, ("speakerLabel", "speaker_label", "speakerTag", "speaker_tag")), number
                ),
            )
        )
    return words


def _google_time(value: object, number: int) -> float | None:
    """Seconds as `1.5s`, or as an object of seconds and nanos; a time of 0 is left out of the object."""
    if isinstance(value, dict):
        seconds = read_time(value.get("seconds", 0), number, "start")
        nanos = read_time(value.get("nanos", 0), number, "start")
        return (seconds or 0.0) + (nanos or 0.0) / NANOSECONDS
    return read_time(value, number, "start")
