"""JSON transcripts: a list of utterances, `{"utterances": [...]}`, or Whisper's `{"text": ..., "segments": [...]}`."""

from __future__ import annotations

import json
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from model.errors import TranscriptUnreadable
from model.recording.utterance import Utterance

Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class _Item(BaseModel):
    """One utterance; further fields of other tools (ids, scores, words) are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    start: Seconds | None = None
    end: Seconds | None = None
    text: str
    speaker: str | None = None


_ITEMS = TypeAdapter(list[_Item])


def parse_json(text: str) -> list[Utterance]:
    """Utterances, with times if each has start and end; raises TranscriptUnreadable with item and field."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise TranscriptUnreadable("The transcript looks like JSON but is malformed.") from error
    try:
        items = _ITEMS.validate_python(_entries(document))
    except ValidationError as error:
        where = error.errors(include_url=False, include_context=False, include_input=False)[0]["loc"]
        field = where[1] if len(where) > 1 else "entry"
        raise TranscriptUnreadable(
            f"Utterance {int(where[0]) + 1 if where else 1} of the JSON transcript has an invalid {field}."
        ) from None
    return [
        Utterance(
            start=item.start,
            end=item.end,
            text=" ".join(item.text.split()),
            speaker=(item.speaker or "").strip() or None,
        )
        for item in items
    ]


def _entries(document: object) -> object:
    if isinstance(document, dict):
        for name in ("utterances", "segments"):
            if isinstance(document.get(name), list):
                return document[name]
        if isinstance(document.get("text"), str):
            return [document]
        raise TranscriptUnreadable("The JSON transcript has neither utterances nor segments.")
    return document
