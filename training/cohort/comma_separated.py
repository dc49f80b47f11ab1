"""Reads a manifest of comma-separated values, with advice for what spreadsheets make of them."""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterator

from training.cohort.problem import Problem
from training.cohort.row import REQUIRED
from training.cohort.table import Line, Table, check_names, unreadable

_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_SAVE_AS_UTF_8 = 'save it from Excel as "CSV UTF-8 (comma delimited)", or from LibreOffice with the character set UTF-8'
_SAVE_WITH_COMMAS = (
    "save it again with commas (Excel takes semicolons where the comma is the decimal sign; LibreOffice asks)"
)
_SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "bars"}
_MARKED = Problem(
    line=None,
    column=None,
    detail="it begins with a byte-order mark, which is skipped",
    advice="this is harmless here; other programs may take it for part of the first column's name",
    warning=True,
)

Record = tuple[int, list[str]]


def read_csv(content: bytes) -> Table:
    """The table in the bytes of a CSV file; whatever keeps it from being read is among its problems."""
    if content.startswith(_UTF_16):
        return unreadable("this is UTF-16, not UTF-8", _SAVE_AS_UTF_8)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return unreadable("this is not UTF-8", _SAVE_AS_UTF_8, line=content.count(b"\n", 0, error.start) + 1)
    records: list[Record] = []
    try:
        records.extend(_records(text))
    except csv.Error:
        return unreadable("quotation marks do not match", "close the quotation, and write a mark in it twice")
    if refused := _refuse(records[0][1]):
        return refused
    marked = (_MARKED,) if content.startswith(codecs.BOM_UTF8) else ()
    return _tabulate(records[0][1], records[1:], marked)


def _records(text: str) -> Iterator[Record]:
    """Each record with the line it begins at; empty lines at the very end are left out."""
    reader = csv.reader(io.StringIO(text.rstrip("\r\n") + "\n", newline=""), strict=True)
    begun = 1
    for cells in reader:
        yield begun, [cell.strip() for cell in cells]
        begun = reader.line_num + 1


def _refuse(header: list[str]) -> Table | None:
    """Why the first line is no header, if so; what stands there may be somebody's data, and is not repeated."""
    if not any(header):
        return unreadable("the first line is empty", "begin with a line that names the columns", line=1)
    joined = ",".join(header).lower()
    if joined.startswith("sep="):
        return unreadable("this is Excel's separator line", "remove the line", line=1)
    for separator, name in _SEPARATORS.items():
        if len({cell.strip() for cell in joined.split(separator)} & set(REQUIRED)) > 1:
            return unreadable(f"columns are separated by {name}", _SAVE_WITH_COMMAS, line=1)
    if not {cell.lower() for cell in header} & set(REQUIRED):
        advice = f"begin with a line that names the columns: {', '.join(REQUIRED)} and the rest"
        return unreadable("no column of a manifest is named here", advice, line=1)
    return None


def _tabulate(names: list[str], records: list[Record], problems: tuple[Problem, ...]) -> Table:
    lines: list[Line] = []
    found = [*problems, *check_names(names)]
    for number, cells in records:
        if not any(cells):
            found.append(Problem(line=number, column=None, detail="the line is blank", advice="remove it"))
        elif len(cells) != len(names):
            detail = f"{len(cells)} cells stand under {len(names)} columns"
            advice = "quote a cell that holds a comma, and keep the comma of an empty one"
            found.append(Problem(line=number, column=None, detail=detail, advice=advice))
        else:
            lines.append(Line(number=number, cells=dict(zip(names, cells, strict=True))))
    return Table(columns=tuple(names), lines=tuple(lines), problems=tuple(found))
