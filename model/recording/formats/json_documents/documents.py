"""Which tool wrote a JSON transcript, by the fields that it holds."""

from __future__ import annotations

from typing import Any

from model.errors import TranscriptUnreadable
from model.recording.formats.json_documents.azure import parse_azure_batch, parse_azure_fast, parse_azure_sdk
from model.recording.formats.json_documents.fields import as_object, load_json, read_text
from model.recording.formats.json_documents.segments import parse_chunks, parse_segments, parse_whisper_cpp
from model.recording.formats.json_documents.services import (
    parse_assemblyai,
    parse_aws,
    parse_deepgram,
    parse_google,
)
from model.recording.formats.parsed import ParsedTranscript
from model.recording.utterance import Utterance


def parse_json(text: str) -> ParsedTranscript:
    """Utterances of our own JSON, of Whisper and its relatives, or of a speech service.

    Raises TranscriptUnreadable with item and field of a malformed entry, or if no known tool writes such a document.
    """
    document = load_json(text)
    if isinstance(document, list):
        return _list(document)
    if not isinstance(document, dict):
        raise TranscriptUnreadable("The JSON transcript is neither an object nor a list.")
    parsed = _service(document) or _segments(document)
    if parsed is None:
        raise TranscriptUnreadable("The JSON transcript has neither utterances nor segments of a known tool.")
    return parsed


def _list(items: list[Any]) -> ParsedTranscript:
    first = as_object(items[0]) if items else {}
    if "timestamp" in first:
        return parse_chunks(items)
    if "Offset" in first:
        return parse_azure_sdk(items)
    return parse_segments(items, {})


def _service(document: dict[str, Any]) -> ParsedTranscript | None:
    if "results" in document:
        return _results(document["results"])
    if isinstance(document.get("recognizedPhrases"), list):
        return parse_azure_batch(document["recognizedPhrases"])
    if isinstance(document.get("phrases"), list) and "combinedPhrases" in document:
        return parse_azure_fast(document["phrases"])
    if "Offset" in document and "Duration" in document:
        return parse_azure_sdk([document])
    if "status" in document and "id" in document and ("utterances" in document or "words" in document):
        return parse_assemblyai(document)
    return None


def _results(results: object) -> ParsedTranscript | None:
    if isinstance(results, list):
        return parse_google(results) if any("alternatives" in as_object(result) for result in results) else None
    fields = as_object(results)
    if isinstance(fields.get("channels"), list):
        return parse_deepgram(fields)
    if isinstance(fields.get("items"), list) or isinstance(fields.get("audio_segments"), list):
        return parse_aws(fields)
    return None


def _segments(document: dict[str, Any]) -> ParsedTranscript | None:
    if isinstance(document.get("transcription"), list):
        return parse_whisper_cpp(document["transcription"])
    if isinstance(document.get("chunks"), list):
        return parse_chunks(document["chunks"])
    for name in ("utterances", "segments"):
        if isinstance(document.get(name), list):
            return parse_segments(document[name], document)
    if isinstance(document.get("text"), str):
        whole = Utterance(start=None, end=None, text=read_text(document["text"], 1), speaker=None)
        return ParsedTranscript(format="json", time_unit=None, utterances=[whole])
    return None
