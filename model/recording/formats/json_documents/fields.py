"""Fields of JSON objects, read without trust in their types."""

from __future__ import annotations

import json
import math
import re
from typing import Any

from model.errors import TranscriptUnreadable
from model.recording.formats.clock import parse_clock

HIGHEST_SPEAKER = 999_999
_DURATION = re.compile(r"PT(?:([0-9]{1,4})H)?(?:([0-9]{1,6})M)?(?:([0-9]{1,9}(?:\.[0-9]{1,12})?)S)?")
_SECONDS = re.compile(r"(-?[0-9]{1,15}(?:\.[0-9]{0,12})?)s?")


def load_json(text: str) -> Any:
    """The document, or the documents of JSON lines; raises TranscriptUnreadable if it is malformed."""
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        if error.msg == "Extra data" and not text[error.pos - 1 : error.pos + 1].strip("\n{"):
            return _json_lines(text)
        raise TranscriptUnreadable(f"The transcript looks like JSON but is malformed in line {error.lineno}.") from None
    except (ValueError, RecursionError):
        raise TranscriptUnreadable("The transcript looks like JSON but is malformed.") from None


def _json_lines(text: str) -> list[Any]:
    documents = []
    for number, line in enumerate(text.split("\n"), start=1):
        try:
            documents += [json.loads(line)] if line.strip() else []
        except (ValueError, RecursionError):
            raise TranscriptUnreadable(f"Line {number} of the JSON lines is malformed.") from None
    return documents


def as_list(value: object) -> list[Any]:
    """The value if it is a list, else an empty one."""
    return value if isinstance(value, list) else []


def as_object(value: object) -> dict[str, Any]:
    """The value if it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def object_at(items: list[Any], number: int) -> dict[str, Any]:
    """The item of that number, counted from 1; raises TranscriptUnreadable if it is no object."""
    if not isinstance(items[number - 1], dict):
        raise TranscriptUnreadable(f"Utterance {number} of the JSON transcript has an invalid entry.")
    item: dict[str, Any] = items[number - 1]
    return item


def first_of(item: dict[str, Any], names: tuple[str, ...]) -> Any:
    """The first of the named fields that is not null; None if there is none."""
    return next((item[name] for name in names if item.get(name) is not None), None)


def read_time(value: object, number: int, name: str) -> float | None:
    """A number, or the seconds of `00:00:01.5`, `PT1.5S` or `1.5s`; None for null.

    Raises TranscriptUnreadable with the number of the utterance and the name of the field.
    """
    if value is None:
        return None
    time = _seconds(value)
    if time is None:
        raise TranscriptUnreadable(f"Utterance {number} of the JSON transcript has an invalid {name}.")
    return time


def read_text(value: object, number: int) -> str:
    """A text; empty for null. Raises TranscriptUnreadable with the number of the utterance."""
    if value is None:
        return ""
    if not isinstance(value, str):
        raise TranscriptUnreadable(f"Utterance {number} of the JSON transcript has an invalid text.")
    return value


def read_speaker(value: object, number: int) -> str | None:
    """A label; numbers become `Speaker 1`. Raises TranscriptUnreadable with the number of the utterance."""
    if isinstance(value, str):
        return value.strip() or None
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= HIGHEST_SPEAKER:
        return f"Speaker {value}"
    if value is None:
        return None
    raise TranscriptUnreadable(f"Utterance {number} of the JSON transcript has an invalid speaker.")


def is_clock(value: object) -> bool:
    """Whether a time is given as a text with a unit of its own."""
    return isinstance(value, str) and (":" in value or value.startswith("PT"))


def _seconds(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    if isinstance(value, str):
        return _seconds_of_text(value.strip())
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _seconds_of_text(text: str) -> float | None:
    plain = _SECONDS.fullmatch(text)
    if plain is not None:
        return float(plain[1])
    duration = _DURATION.fullmatch(text)
    if duration is not None and text != "PT":
        return int(duration[1] or 0) * 3600.0 + int(duration[2] or 0) * 60 + float(duration[3] or 0)
    return parse_clock(text)
