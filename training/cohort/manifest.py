"""Reads, inspects and writes a cohort's manifest."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from training.cohort.cohort import Cohort
from training.cohort.columns import check_columns, tasks_of
from training.cohort.comma_separated import read_csv
from training.cohort.coverage import check_covariates, check_outcomes
from training.cohort.files import check_files
from training.cohort.kinship import check_contradictions, check_kinship
from training.cohort.parquet import read_parquet
from training.cohort.problem import ManifestError, Problem, in_order
from training.cohort.row import LABEL, NOTE, OPTIONAL, REQUIRED, CohortRow, Role
from training.cohort.row_reading import read_row
from training.cohort.table import Table, unreadable

_PARQUET_MARK = b"PAR1"
_EXCEL_MARKS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a cohort is to be used for: a task with its outcomes in the order of their labels, and whose recordings.

    Empty outcomes stand for whichever occur, no role for everybody.
    """

    task: str | None = None
    outcomes: tuple[str, ...] = ()
    role: Role | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """A manifest as far as it could be read, of the role asked for, and all its problems, errors first."""

    cohort: Cohort
    problems: tuple[Problem, ...]

    @property
    def errors(self) -> tuple[Problem, ...]:
        """The problems that refuse the cohort."""
        return tuple(problem for problem in self.problems if not problem.warning)


ANYTHING = Wanted()


def read_cohort(manifest: Path) -> Cohort:
    """The cohort of a manifest.

    Raises ManifestError with all that is wrong with it, when anything is.
    """
    inspection = inspect_manifest(manifest, ANYTHING)
    if inspection.errors:
        raise ManifestError(inspection.errors)
    return inspection.cohort


def inspect_manifest(manifest: Path, wanted: Wanted) -> Inspection:
    """Everything that can be known of a cohort without decoding a recording; raises nothing."""
    table = _read_table(manifest)
    problems = [*table.problems]
    read = [read_row(line, table.columns) for line in table.lines]
    everybody = Cohort(root=manifest.parent, rows=tuple(row for row, _ in read), tasks=tasks_of(table.columns))
    chosen = everybody.among(role=wanted.role)
    if table.columns:
        problems += check_columns(table.columns, wanted.task)
        problems += (problem for _, found in read for problem in found)
        problems += _check_rows(everybody)
        problems += _check_use(chosen, wanted)
    return Inspection(cohort=chosen, problems=in_order(problems))


def write_manifest(path: Path, rows: Iterable[CohortRow], *, tasks: Sequence[str], notes: Sequence[str] = ()) -> Path:
    """Writes the rows as CSV, each as soon as it is known; labels and notes of these names alone."""
    columns = [*REQUIRED, *(LABEL + task for task in tasks), *OPTIONAL, *(NOTE + note for note in notes)]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=columns, restval="", lineterminator="\n")
        writer.writeheader()
        for row in rows:
            writer.writerow(_cells(row))
    return path


def _read_table(manifest: Path) -> Table:
    """The manifest's table; CSV and Parquet are told apart by content."""
    try:
        content = manifest.read_bytes()
    except OSError:
        return unreadable("it cannot be opened", "check its path, and that it is a file you may read")
    if content.startswith(_EXCEL_MARKS):
        return unreadable("this is an Excel workbook", 'save it from Excel as "CSV UTF-8 (comma delimited)"')
    return read_parquet(content) if content.startswith(_PARQUET_MARK) else read_csv(content)


def _check_rows(cohort: Cohort) -> Iterator[Problem]:
    if not cohort.rows:
        yield Problem(line=None, column=None, detail="it has no row", advice="add a line for each recording")
    yield from check_kinship(cohort.rows)
    yield from check_files(cohort.root, cohort.rows)
    yield from check_contradictions(cohort.rows, cohort.tasks)


def _check_use(cohort: Cohort, wanted: Wanted) -> Iterator[Problem]:
    if wanted.role is not None and not cohort.rows:
        advice = "fill in the column role, or leave the role out"
        yield Problem(line=None, column="role", detail=f"nobody has the role {wanted.role}", advice=advice)
    for task in cohort.tasks:
        if wanted.task in (None, task):
            yield from check_outcomes(cohort, task, wanted.outcomes)
    yield from check_covariates(cohort)


def _cells(row: CohortRow) -> Mapping[str, object]:
    """The cells of a row; csv writes None as an empty one."""
    return {
        **{name: getattr(row, name) for name in (*REQUIRED, *OPTIONAL)},
        **{LABEL + task: outcome for task, outcome in row.labels.items()},
        **{NOTE + name: text for name, text in row.notes.items()},
    }
