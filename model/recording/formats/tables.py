"""Tables (TSV, CSV) of Whisper, DAIC-WOZ, E-DAIC, and others with columns of known names."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass

from model.errors import TranscriptUnreadable
from model.recording.formats.clock import parse_clock
from model.recording.formats.parsed import ParsedTranscript, count_notice
from model.recording.formats.time_units import MILLISECONDS, in_seconds, settle_unit
from model.recording.utterance import Utterance

_COLUMNS = {
    "start": ("start", "starttime", "begin", "begintime", "onset", "from", "startms", "starts", "startsec"),
    "end": ("end", "endtime", "stop", "stoptime", "offset", "to", "endms", "ends", "endsec"),
    "text": ("text", "value", "utterance", "transcript", "transcription", "words", "content", "sentence"),
    "speaker": ("speaker", "speakername", "speakerlabel", "role", "who", "name"),
}
_NAMES = {name: column for column, names in _COLUMNS.items() for name in names}
_NUMBER = re.compile(r"-?[0-9]{1,15}(?:[.,][0-9]{0,12})?")
# Events that DAIC-WOZ writes among the words, as `<laughter>`.
_EVENT = re.compile(r"<[^<>]{1,40}>")
DAIC_WOZ = ("starttime", "stoptime", "speaker", "value")
E_DAIC = ("starttime", "endtime", "text", "confidence")
WHISPER = ("start", "end", "text")
_CLOCK_UNIT = "clock"


@dataclass(frozen=True, slots=True, kw_only=True)
class TableHeader:
    """The first line of a table: its delimiter, its names, and the position of each column that is read."""

    delimiter: str
    names: tuple[str, ...]
    columns: dict[str, int]


def table_header(text: str) -> TableHeader | None:
    """The header of a table with words and either times or speakers; None if the first line is none."""
    line = text.lstrip("\n").partition("\n")[0][:1000]
    for delimiter in ("\t", ";", ","):
        names = tuple(_plain(name) for name in line.split(delimiter))
        columns = {_NAMES[name]: at for at, name in reversed(list(enumerate(names))) if name in _NAMES}
        if len(names) > 1 and "text" in columns and ("start" in columns or "speaker" in columns):
            return TableHeader(delimiter=delimiter, names=names, columns=columns)
    return None


def parse_table(text: str, header: TableHeader) -> ParsedTranscript:
    """Utterances of the rows; the unit of times comes from the format, else from the words.

    Raises TranscriptUnreadable with the line of a malformed row.
    """
    utterances: list[Utterance] = []
    silent: list[str] = []
    clock = False
    for line, cells in _rows(text, header):
        words = _EVENT.sub("", cells[header.columns["text"]]).strip()
        if not words:
            silent.append(f"line {line}")
            continue
        start, end = (_time(cells, header, column, line) for column in ("start", "end"))
        if start is not None and end is not None and start > end:
            raise TranscriptUnreadable(f"Line {line} of the table ends before it starts.")
        clock = clock or any(":" in cells[at] for name, at in header.columns.items() if name in {"start", "end"})
        speaker = cells[header.columns["speaker"]].strip() if "speaker" in header.columns else ""
        utterances.append(Utterance(start=start, end=end, text=words, speaker=speaker or None))
    skipped = count_notice("transcript_text_missing", "Rows of the table without words were skipped", silent)
    parsed = _with_unit(utterances, header, clock=clock)
    return ParsedTranscript(
        format=parsed.format,
        time_unit=parsed.time_unit,
        utterances=parsed.utterances,
        notices=(*skipped, *parsed.notices),
    )


def _with_unit(utterances: list[Utterance], header: TableHeader, *, clock: bool) -> ParsedTranscript:
    if header.names in {DAIC_WOZ, E_DAIC}:
        name = "daic_woz" if header.names == DAIC_WOZ else "e_daic"
        return ParsedTranscript(format=name, time_unit=_CLOCK_UNIT if clock else "seconds", utterances=utterances)
    name = "whisper_tsv" if header.names == WHISPER else "table"
    if clock or "start" not in header.columns:
        return ParsedTranscript(format=name, time_unit=_CLOCK_UNIT if clock else None, utterances=utterances)
    if header.names[header.columns["start"]].endswith("ms"):
        milliseconds = [in_seconds(utterance, MILLISECONDS) for utterance in utterances]
        return ParsedTranscript(format=name, time_unit="milliseconds", utterances=milliseconds)
    settled, unit, notices = settle_unit(utterances, usual="milliseconds" if name == "whisper_tsv" else "seconds")
    return ParsedTranscript(format=name, time_unit=unit, utterances=settled, notices=notices)


def _rows(text: str, header: TableHeader) -> Iterator[tuple[int, list[str]]]:
    """Number and cells of each row after the header; the last column of a table with tabs may hold tabs."""
    lines = text.lstrip("\n").split("\n")
    if header.delimiter == "\t":
        for number, line in enumerate(lines[1:], start=2):
            if line.strip():
                yield number, _complete(line.split("\t", len(header.names) - 1), header, number)
        return
    reader = csv.reader((f"{line}\n" for line in lines), delimiter=header.delimiter, strict=True)
    try:
        next(reader)
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield reader.line_num, _complete(cells, header, reader.line_num)
    except csv.Error:
        raise TranscriptUnreadable(f"Line {reader.line_num} of the table is malformed: check its quotes.") from None


def _complete(cells: list[str], header: TableHeader, line: int) -> list[str]:
    if len(cells) <= max(header.columns.values()):
        raise TranscriptUnreadable(f"Line {line} of the table has {len(cells)} columns; {len(header.names)} are named.")
    return cells


def _time(cells: list[str], header: TableHeader, column: str, line: int) -> float | None:
    if column not in header.columns or not cells[header.columns[column]].strip():
        return None
    cell = cells[header.columns[column]].strip()
    seconds = float(cell.replace(",", ".")) if _NUMBER.fullmatch(cell) else parse_clock(cell)
    if seconds is None:
        raise TranscriptUnreadable(f"Line {line} of the table has a malformed {column}.")
    return seconds


def _plain(name: str) -> str:
    return "".join(letter for letter in name.casefold() if letter.isalnum())
