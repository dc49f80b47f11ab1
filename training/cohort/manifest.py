"""Read, inspect and write the manifest of a cohort, with advice for each problem."""

from __future__ import annotations

import csv
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from model.recording.options import RecordingOptions
from training.cohort.checks import check_contradictions, check_covariates, check_files, check_kinship, check_outcomes
from training.cohort.cohort import (
    AGE,
    AUDIO_TRACK,
    DEVICE,
    FAMILY,
    HEARD,
    INTERVIEWER,
    LABEL,
    NAMED,
    NOTE,
    OPTIONAL,
    PARTICIPANT,
    PARTICIPANT_CHANNEL,
    PERSON,
    RECORDING,
    REQUIRED,
    ROLE,
    ROLES,
    SEPARATOR,
    SEX,
    SITE,
    TRANSCRIPT,
    Cohort,
    CohortRow,
    Role,
)
from training.cohort.readers import ManifestLine, ManifestTable, read_csv, read_parquet, unreadable_table
from training.errors import CohortProblem, ManifestError

_PARQUET_MARK = b"PAR1"
# The first bytes of .xlsx, a zip archive, and of .xls.
_EXCEL_MARKS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")


@dataclass(frozen=True, slots=True, kw_only=True)
class CohortRequirements:
    """The intended use of a cohort: a task, its outcomes in the order of the labels, and a role.

    Empty outcomes accept all that occur; no role selects all rows.
    """

    task: str | None = None
    outcomes: tuple[str, ...] = ()
    role: Role | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestInspection:
    """The readable part of a manifest, reduced to the required role, and all problems, errors first."""

    cohort: Cohort
    problems: tuple[CohortProblem, ...]

    @property
    def errors(self) -> tuple[CohortProblem, ...]:
        """The problems that make the cohort unusable."""
        return tuple(problem for problem in self.problems if not problem.warning)


NO_REQUIREMENTS = CohortRequirements()


def read_cohort(manifest: Path) -> Cohort:
    """Read the cohort of a manifest; raises ManifestError with all problems of it."""
    inspection = inspect_manifest(manifest, NO_REQUIREMENTS)
    if inspection.errors:
        raise ManifestError(inspection.errors)
    return inspection.cohort


def inspect_manifest(manifest: Path, requirements: CohortRequirements) -> ManifestInspection:
    """Check a cohort without decoding recordings; never raises."""
    table = _read_table(manifest)
    problems = [*table.problems]
    read = [read_row(line, table.columns) for line in table.lines]
    cohort = Cohort(root=manifest.parent, rows=tuple(row for row, _ in read), tasks=tasks_of(table.columns))
    selected = cohort.with_role(requirements.role)
    # Without columns nothing was read, and the reason is among the problems.
    if table.columns:
        problems += check_columns(table.columns, requirements.task)
        problems += (problem for _, row_problems in read for problem in row_problems)
        problems += _check_rows(cohort)
        problems += _check_use(selected, requirements)
    return ManifestInspection(cohort=selected, problems=sort_problems(problems))


def write_manifest(path: Path, rows: Iterable[CohortRow], *, tasks: Sequence[str], notes: Sequence[str] = ()) -> Path:
    """Write rows as CSV, one by one as they are generated, with the labels and notes of the given names.

    Their recording options are not written: generated transcripts name their participant.
    """
    columns = [*REQUIRED, *(LABEL + task for task in tasks), *OPTIONAL, *(NOTE + note for note in notes)]
    # `newline=""`, because csv writes line ends itself, and text mode would translate them.
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=columns, restval="", lineterminator="\n")
        writer.writeheader()
        for row in rows:
            writer.writerow(_cells(row))
    return path


def sort_problems(problems: Iterable[CohortProblem]) -> tuple[CohortProblem, ...]:
    """Errors before warnings, each in the order of the manifest."""
    return tuple(
        sorted(problems, key=lambda problem: (problem.warning, problem.line or 0, problem.column or "", problem.detail))
    )


def _read_table(manifest: Path) -> ManifestTable:
    """Read the table of a manifest; CSV and Parquet are distinguished by content."""
    try:
        content = manifest.read_bytes()
    except OSError:
        return unreadable_table("it cannot be opened", "check its path and your permission to read it")
    if content.startswith(_EXCEL_MARKS):
        return unreadable_table("this is an Excel workbook", 'save it from Excel as "CSV UTF-8 (comma delimited)"')
    return read_parquet(content) if content.startswith(_PARQUET_MARK) else read_csv(content)


def _check_rows(cohort: Cohort) -> Iterator[CohortProblem]:
    if not cohort.rows:
        yield CohortProblem(line=None, column=None, detail="it has no row", advice="add a line for each recording")
    yield from check_kinship(cohort.rows)
    yield from check_files(cohort.root, cohort.rows)
    yield from check_contradictions(cohort.rows, cohort.tasks)


def _check_use(cohort: Cohort, requirements: CohortRequirements) -> Iterator[CohortProblem]:
    if requirements.role is not None and not cohort.rows:
        advice = "fill in the column role, or leave the role out"
        yield CohortProblem(line=None, column="role", detail=f"no row has the role {requirements.role}", advice=advice)
    for task in cohort.tasks:
        if requirements.task in (None, task):
            yield from check_outcomes(cohort, task, requirements.outcomes)
    yield from check_covariates(cohort)


def _cells(row: CohortRow) -> Mapping[str, object]:
    """The cells of a row; csv writes None as an empty cell."""
    return {
        **{name: getattr(row, name) for name in (*REQUIRED, *OPTIONAL)},
        **{LABEL + task: outcome for task, outcome in row.labels.items()},
        **{NOTE + name: text for name, text in row.notes.items()},
    }


_USUAL_TASK = "spectrum"


def check_columns(columns: Sequence[str], task: str | None) -> Iterator[CohortProblem]:
    """Missing and unknown columns. An unknown column is an error, because a typo must not drop labels silently."""
    known = [*REQUIRED, *OPTIONAL, *HEARD, LABEL + (task or _USUAL_TASK)]
    for name in REQUIRED:
        if name not in columns:
            advice = "add it; its cells may be empty" if name in ("recording", "transcript") else "add it"
            yield CohortProblem(line=None, column=name, detail="the column is missing", advice=advice)
    for name in dict.fromkeys(columns):
        if name and name not in known and not NAMED.fullmatch(name):
            yield CohortProblem(line=None, column=name, detail="the column is unknown", advice=_advise(name, known))
    if task is not None and LABEL + task not in columns:
        advice = _advise_task(LABEL + task, columns)
        yield CohortProblem(
            line=None, column=LABEL + task, detail="the label column of the task is missing", advice=advice
        )
    elif not any(name.startswith(LABEL) for name in columns):
        detail, advice = "there is no label column", "add label_ and the name of the task"
        yield CohortProblem(line=None, column=None, detail=detail, advice=advice, warning=True)


def tasks_of(columns: Sequence[str]) -> tuple[str, ...]:
    """The tasks with a label column, in the order of the columns."""
    return tuple(name.removeprefix(LABEL) for name in columns if _is(LABEL, name))


def notes_of(columns: Sequence[str]) -> tuple[str, ...]:
    """The names of the notes, in the order of the columns."""
    return tuple(name.removeprefix(NOTE) for name in columns if _is(NOTE, name))


def _is(prefix: str, name: str) -> bool:
    return name.startswith(prefix) and NAMED.fullmatch(name) is not None


def _advise(name: str, known: Sequence[str]) -> str:
    keep = f"call it {NOTE}{_plain(name) or 'something'} to keep it without using it"
    near = _nearest(name, known)
    return f"did you mean {near}? Else {keep}" if near else keep


def _nearest(name: str, known: Sequence[str]) -> str | None:
    plain = _plain(name)
    # The prefix is compared by itself, because the name of a task may be anything.
    prefix, _, rest = plain.partition("_")
    for named in (LABEL, NOTE):
        if rest and get_close_matches(prefix, [named.removesuffix("_")], cutoff=0.7):
            return named + rest
    bare = {each.removeprefix(LABEL): each for each in reversed(known)}
    matches = get_close_matches(plain, [*known, *bare], n=1, cutoff=0.7)
    return bare.get(matches[0], matches[0]) if matches else None


def _advise_task(column: str, columns: Sequence[str]) -> str:
    labelled = [LABEL + task for task in tasks_of(columns)]
    near = get_close_matches(column, labelled, n=1)
    if near:
        return f"did you mean {near[0]}?"
    return f"add it, or ask for another task (label columns: {', '.join(labelled) or 'none'})"


def _plain(name: str) -> str:
    """A name in the form of columns: lower case, with underscores for other characters."""
    return "_".join("".join(letter if letter.isalnum() else " " for letter in name.lower()).split())


OLDEST = 120.0
_COUNT = re.compile(r"[0-9]{1,2}")
_NUMBER = re.compile(r"[0-9]+(\.[0-9]+)?")
_PLACEHOLDERS = {"na", "n/a", "nan", "null", "#n/a", "?", "-", "--", "."}
_ALONE = "every row needs a person and a family; a person without known relatives is a family of one"
_UNKNOWN = "leave the cell empty where it is unknown"


def read_row(line: ManifestLine, columns: Sequence[str]) -> tuple[CohortRow, list[CohortProblem]]:
    """The row and its problems, without a check of its files."""
    cells = _LineReader(line)
    row = CohortRow(
        line=line.number,
        person=cells.required(PERSON),
        family=cells.required(FAMILY),
        # Paths are not brought to NFC: the file system compares bytes.
        recording=cells.known(RECORDING) or None,
        transcript=cells.known(TRANSCRIPT) or None,
        role=cells.role(),
        labels={task: outcome for task in tasks_of(columns) if (outcome := cells.identifier(LABEL + task))},
        age=cells.age(),
        sex=cells.known(SEX),
        site=cells.known(SITE),
        device=cells.known(DEVICE),
        # Notes are free text, in which NA or a dash is no mistake.
        notes={note: line.cells[NOTE + note] for note in notes_of(columns)},
        options=cells.options(),
    )
    # A missing column is one problem of the table, not one of every line.
    if row.recording is None and row.transcript is None and {RECORDING, TRANSCRIPT} <= line.cells.keys():
        advice = "name the file of the recording, of the transcript, or both; remove the line if there is neither"
        cells.note(None, "neither a recording nor a transcript is named", advice)
    return row, cells.problems


class _LineReader:
    """Reads the cells of one line and collects their problems."""

    def __init__(self, line: ManifestLine) -> None:
        self.number = line.number
        self.cells: Mapping[str, str] = line.cells
        self.problems: list[CohortProblem] = []

    def note(self, column: str | None, detail: str, advice: str) -> None:
        self.problems.append(CohortProblem(line=self.number, column=column, detail=detail, advice=advice))

    def known(self, column: str) -> str:
        """The cell; placeholders such as NA are problems, because they would be read as names."""
        text = self.cells.get(column, "")
        if text.lower() not in _PLACEHOLDERS:
            return text
        self.note(column, "this is a placeholder", "leave the cell empty")
        return ""

    def identifier(self, column: str) -> str:
        """A name in Unicode NFC, because names are compared and two forms can look the same."""
        return unicodedata.normalize("NFC", self.known(column))

    def required(self, column: str) -> str:
        text = self.identifier(column)
        # A missing column and a placeholder are reported elsewhere.
        if not text and not self.cells.get(column, "missing column"):
            self.note(column, "the cell is empty", _ALONE)
        return text

    def role(self) -> Role | None:
        text = self.known(ROLE)
        for role in ROLES:
            if text == role:
                return role
        if text:
            self.note(ROLE, "this is not a role", f"write {' or '.join(ROLES)}, or {_UNKNOWN}")
        return None

    def age(self) -> float | None:
        text = self.known(AGE)
        if not text:
            return None
        if not _NUMBER.fullmatch(text):
            self.note(
                AGE, "this is not a number", f"write years with a decimal point, such as 34 or 34.5, or {_UNKNOWN}"
            )
        elif float(text) > OLDEST:
            self.note(AGE, f"this is not between 0 and {OLDEST:.0f}", f"write the age in years, or {_UNKNOWN}")
        else:
            return float(text)
        return None

    def options(self) -> RecordingOptions:
        return RecordingOptions(
            participant=self._labels(PARTICIPANT),
            interviewer=self._labels(INTERVIEWER),
            audio_track=self._count(AUDIO_TRACK),
            participant_channel=self._count(PARTICIPANT_CHANNEL),
        )

    def _labels(self, column: str) -> tuple[str, ...]:
        return tuple(label.strip() for label in self.known(column).split(SEPARATOR) if label.strip())

    def _count(self, column: str) -> int | None:
        text = self.known(column)
        if text and (not _COUNT.fullmatch(text) or int(text) == 0):
            self.note(column, "this is not a number from 1 on", f"write 1 for the first, or {_UNKNOWN}")
            return None
        return int(text) if text else None
