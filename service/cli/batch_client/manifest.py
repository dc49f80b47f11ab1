"""The manifest of `hilbert batch`, in CSV or JSON lines; every line is checked before anything is sent."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import ValidationError

from service.assessments.states import RecordingFields
from service.cli.batch_client.errors import invalid_input

LABEL_COLUMNS = ("participant", "interviewer")
NUMBER_COLUMNS = ("audio_track", "participant_channel")
COLUMNS = ("custom_id", "id", "audio", "transcript", "task", "reference", *LABEL_COLUMNS, *NUMBER_COLUMNS)
SEPARATOR = "|"
"""Between several speaker labels of one cell."""
MAX_LENGTHS = {"custom_id": 128, "task": 64, "reference": 64}
MAX_REPORTED = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestEntry:
    """One recording; `line` is its line number in the manifest, `recording` what it says about the recording."""

    line: int
    custom_id: str
    audio: Path | None
    transcript: Path | None
    task: str | None
    reference: str | None
    recording: Mapping[str, object] = field(default_factory=dict)

    @property
    def files(self) -> dict[str, Path]:
        """The files to upload, by role."""
        return {role: path for role, path in (("audio", self.audio), ("transcript", self.transcript)) if path}


def read_manifest(file: Path, tasks: frozenset[str] | None = None) -> list[ManifestEntry]:
    """Read every line; paths are relative to the manifest. Raises BatchCommandError with all problems by line."""
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError):
        raise invalid_input(f"{file} cannot be read as UTF-8 text.") from None
    records = _read_json_lines(text) if file.suffix.lower() in {".jsonl", ".ndjson"} else _read_csv(text)
    entries: list[ManifestEntry] = []
    problems: list[str] = []
    first: dict[str, int] = {}
    for line, record in records:
        if not isinstance(record, str) and not record.get("custom_id"):
            record["custom_id"] = record.pop("id", "")
        reasons = [record] if isinstance(record, str) else _record_problems(record, file.parent, tasks)
        if not isinstance(record, str) and not reasons:
            entry = _manifest_entry(line, record, file.parent)
            if (before := first.setdefault(entry.custom_id, line)) != line:
                reasons = [f"custom_id {entry.custom_id!r} was used in line {before}"]
            entries.append(entry)
        problems += [f"line {line}: {reason}" for reason in reasons]
    if not entries and not problems:
        problems = ["there are no lines"]
    if problems:
        raise invalid_input(_report(file, problems))
    return entries


def _report(file: Path, problems: list[str]) -> str:
    more = len(problems) - MAX_REPORTED
    shown = [f"  {problem}" for problem in problems[:MAX_REPORTED]] + ([f"  ... and {more} more"] if more > 0 else [])
    return "\n".join([f"{file} has problems; nothing was sent.", *shown])


def _read_csv(text: str) -> Iterator[tuple[int, dict[str, str] | str]]:
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True, restkey="", restval="")
    line = 1
    try:
        for row in reader:
            line = reader.line_num
            yield line, "has more fields than the header" if "" in row else row
    except csv.Error as error:
        yield line + 1, f"is not CSV ({error})"


def _read_json_lines(text: str) -> Iterator[tuple[int, dict[str, str] | str]]:
    for line, content in enumerate(text.split("\n"), start=1):
        if not content.strip():
            continue
        try:
            record = json.loads(content)
        except (ValueError, RecursionError):
            yield line, "is not JSON"
            continue
        if not isinstance(record, dict) or not all(isinstance(value, str | None) for value in record.values()):
            yield line, "is not a JSON object whose values are text"
            continue
        yield line, {name: value for name, value in record.items() if value is not None}


def _record_problems(record: dict[str, str], folder: Path, tasks: frozenset[str] | None) -> list[str]:
    reasons = [f"unknown column {name!r}; known: {', '.join(COLUMNS)}" for name in record if name not in COLUMNS]
    if not record["custom_id"]:
        reasons.append("custom_id is missing")
    if not record.get("audio") and not record.get("transcript"):
        reasons.append("names neither audio nor a transcript")
    reasons += [
        f"{name} is longer than {limit}" for name, limit in MAX_LENGTHS.items() if len(record.get(name, "")) > limit
    ]
    reasons += _recording_problems(record)
    for role in ("audio", "transcript"):
        if path := record.get(role):
            reasons += [f"{role}: {reason}" for reason in _file_problems(folder / path)]
    if tasks is not None and record.get("task") and record["task"] not in tasks:
        reasons.append(f"unknown task; known: {', '.join(sorted(tasks))}")
    return reasons


def _recording_fields(record: dict[str, str]) -> dict[str, object]:
    """The given fields of `RecordingFields`, as a client sends them."""
    labels = {name: [label.strip() for label in record.get(name, "").split(SEPARATOR)] for name in LABEL_COLUMNS}
    numbers = {name: record[name].strip() for name in NUMBER_COLUMNS if record.get(name, "").strip()}
    return {name: given for name, values in labels.items() if (given := [label for label in values if label])} | {
        name: int(value) if value.isdecimal() else value for name, value in numbers.items()
    }


def _recording_problems(record: dict[str, str]) -> list[str]:
    try:
        RecordingFields.model_validate(_recording_fields(record))
    except ValidationError as error:
        problems = error.errors(include_url=False, include_context=False, include_input=False)
        return [f"{problem['loc'][0] if problem['loc'] else 'participant'}: {problem['msg']}" for problem in problems]
    return []


def _file_problems(path: Path) -> list[str]:
    try:
        if not path.is_file():
            return [f"there is no file {path}"]
        return [] if path.stat().st_size else [f"{path} is empty"]
    except (OSError, ValueError):
        return ["is not a path"]


def _manifest_entry(line: int, record: dict[str, str], folder: Path) -> ManifestEntry:
    return ManifestEntry(
        line=line,
        custom_id=record["custom_id"],
        audio=folder / record["audio"] if record.get("audio") else None,
        transcript=folder / record["transcript"] if record.get("transcript") else None,
        task=record.get("task") or None,
        reference=record.get("reference") or None,
        recording=_recording_fields(record),
    )
