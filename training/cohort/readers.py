"""Read the table of a manifest from CSV or Parquet, as text cells with line numbers."""

from __future__ import annotations

import codecs
import csv
import io
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from training.cohort.cohort import REQUIRED
from training.errors import CohortProblem

# pyarrow stores the index of a data frame under this name.
_INDEX = "__index_level_0__"


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestLine:
    """The stripped cells of a row by column, and its line number."""

    number: int
    cells: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestTable:
    """The readable part of a manifest and its problems; `columns` is empty when nothing is readable."""

    columns: tuple[str, ...] = ()
    lines: tuple[ManifestLine, ...] = ()
    problems: tuple[CohortProblem, ...] = ()


def unreadable_table(detail: str, advice: str, *, line: int | None = None) -> ManifestTable:
    """An empty table with the problem that makes the manifest unreadable."""
    return ManifestTable(problems=(CohortProblem(line=line, column=None, detail=detail, advice=advice),))


def check_names(names: Sequence[str]) -> Iterator[CohortProblem]:
    """Columns without a name, and column names that occur twice."""
    for position, name in enumerate(names, start=1):
        if name in ("", _INDEX):
            advice = "name it or remove it (pandas writes such a column unless index=False)"
            yield CohortProblem(line=None, column=None, detail=f"column {position} has no name", advice=advice)
    for name in sorted({name for name in names if name and names.count(name) > 1}):
        advice = "keep one of them, or rename one to note_ and a name"
        yield CohortProblem(line=None, column=name, detail=f"{names.count(name)} columns have this name", advice=advice)


_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_SAVE_AS_UTF_8 = 'save it from Excel as "CSV UTF-8 (comma delimited)", or from LibreOffice with the character set UTF-8'
_SAVE_WITH_COMMAS = (
    "save it again with commas (Excel takes semicolons where the comma is the decimal sign; LibreOffice asks)"
)
_SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "bars"}
_MARKED = CohortProblem(
    line=None,
    column=None,
    detail="it begins with a byte-order mark, which is skipped",
    advice="this is harmless here; other programs may read it as part of the first column name",
    warning=True,
)

Record = tuple[int, list[str]]


def read_csv(content: bytes) -> ManifestTable:
    """Parse a CSV file; everything that makes it unreadable is among the problems."""
    if content.startswith(_UTF_16):
        return unreadable_table("this is UTF-16, not UTF-8", _SAVE_AS_UTF_8)
    try:
        # Excel begins UTF-8 with a byte-order mark (decision 0009).
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return unreadable_table("this is not UTF-8", _SAVE_AS_UTF_8, line=content.count(b"\n", 0, error.start) + 1)
    records: list[Record] = []
    try:
        records.extend(_records(text))
    except csv.Error:
        return unreadable_table("quotation marks do not match", "close the quotation, and double a mark inside it")
    if refused := _refuse(records[0][1]):
        return refused
    marked = (_MARKED,) if content.startswith(codecs.BOM_UTF8) else ()
    return _tabulate(records[0][1], records[1:], marked)


def _records(text: str) -> Iterator[Record]:
    """Each record with its first line; empty lines at the end are left out."""
    # `strict`: else a quotation that is never closed takes the rest of the file into one cell, without an error.
    reader = csv.reader(io.StringIO(text.rstrip("\r\n") + "\n", newline=""), strict=True)
    begun = 1
    for cells in reader:
        yield begun, [cell.strip() for cell in cells]
        # Lines of the file, not records: a quoted cell may hold line breaks.
        begun = reader.line_num + 1


def _refuse(header: list[str]) -> ManifestTable | None:
    """The reason why the first line is not a header, or None. The line may be personal data and is not quoted."""
    if not any(header):
        return unreadable_table("the first line is empty", "start with a line of column names", line=1)
    joined = ",".join(header).lower()
    if joined.startswith("sep="):
        return unreadable_table("this is Excel's separator line", "remove the line", line=1)
    for separator, name in _SEPARATORS.items():
        if len({cell.strip() for cell in joined.split(separator)} & set(REQUIRED)) > 1:
            return unreadable_table(f"columns are separated by {name}", _SAVE_WITH_COMMAS, line=1)
    if not {cell.lower() for cell in header} & set(REQUIRED):
        advice = f"start with a line of column names: {', '.join(REQUIRED)} and the rest"
        return unreadable_table("this line names no column of a manifest", advice, line=1)
    return None


def _tabulate(names: list[str], records: list[Record], problems: tuple[CohortProblem, ...]) -> ManifestTable:
    lines: list[ManifestLine] = []
    all_problems = [*problems, *check_names(names)]
    for number, cells in records:
        if not any(cells):
            all_problems.append(CohortProblem(line=number, column=None, detail="the line is blank", advice="remove it"))
        elif len(cells) != len(names):
            detail = f"{len(cells)} cells for {len(names)} columns"
            advice = "quote a cell that contains a comma, and keep the comma of an empty cell"
            all_problems.append(CohortProblem(line=number, column=None, detail=detail, advice=advice))
        else:
            lines.append(ManifestLine(number=number, cells=dict(zip(names, cells, strict=True))))
    return ManifestTable(columns=tuple(names), lines=tuple(lines), problems=tuple(all_problems))


def read_parquet(content: bytes) -> ManifestTable:
    """Parse a Parquet file; everything that makes it unreadable is among the problems."""
    # Parquet alone needs pyarrow.
    from pyarrow import ArrowException
    from pyarrow.parquet import ParquetFile

    try:
        with ParquetFile(io.BytesIO(content)) as file:
            read = file.read()
    except (ArrowException, OSError):
        return unreadable_table("this is not a complete Parquet file", "write it again")
    names = [str(name).strip() for name in read.column_names]
    columns = [[_text(value) for value in column.to_pylist()] for column in read.columns]
    lines = tuple(
        ManifestLine(number=number, cells=dict(zip(names, cells, strict=True)))
        for number, cells in enumerate(zip(*columns, strict=True), start=1)
    )
    return ManifestTable(columns=tuple(names), lines=lines, problems=tuple(check_names(names)))


def _text(value: object) -> str:
    """A cell as text. Data frames store whole numbers next to gaps as floats, so 12.0 becomes 12 and NaN empty."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip()
