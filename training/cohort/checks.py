"""Checks of a cohort: files, families, contradicting labels, rare outcomes, unknown covariates."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath, PureWindowsPath

import numpy as np

from training.cohort.cohort import (
    AGE,
    DEVICE,
    FAMILY,
    LABEL,
    PERSON,
    RECORDING,
    SEX,
    SITE,
    TRANSCRIPT,
    Cohort,
    CohortRow,
    unknown_outcome,
)
from training.errors import CohortProblem

FEWEST_FAMILIES = 5
"""Number of families that an outcome needs to occur in each of five folds."""
_MOST_MISSING = 0.5
_SHOWN_LINES = 5
_OF_THE_BASELINE = dict.fromkeys((AGE, SEX), "fill it in: the covariate baseline uses it")


def check_outcomes(cohort: Cohort, task: str, outcomes: Sequence[str]) -> Iterator[CohortProblem]:
    """Labels that are not among the outcomes of the task, and outcomes in too few families.

    Empty `outcomes` accept all labels.
    """
    column = LABEL + task
    if outcomes:
        unknown = [row for row in cohort.rows if task in row.labels and row.labels[task] not in outcomes]
        yield from (unknown_outcome(row.line, column, outcomes) for row in unknown)
    for outcome in outcomes or cohort.outcomes(task):
        families = {row.family for row in cohort.rows if row.labels.get(task) == outcome}
        if len(families) < FEWEST_FAMILIES:
            detail = f"the outcome {outcome} is in {len(families)} {'family' if len(families) == 1 else 'families'}"
            advice = (
                f"with fewer than {FEWEST_FAMILIES} some folds have no test case, and the outcome cannot be measured"
            )
            yield CohortProblem(line=None, column=column, detail=detail, advice=advice, warning=True)


def check_covariates(cohort: Cohort) -> Iterator[CohortProblem]:
    """Warn of covariates that are unknown in most rows; of site and device only where some rows have them."""
    known = {
        AGE: np.isfinite(cohort.ages),
        SEX: np.array([bool(row.sex) for row in cohort.rows]),
        SITE: np.array([bool(row.site) for row in cohort.rows]),
        DEVICE: np.array([bool(row.device) for row in cohort.rows]),
    }
    for column, values in known.items():
        expected = column in _OF_THE_BASELINE or values.any()
        if expected and len(values) and 1 - values.mean() > _MOST_MISSING:
            detail = f"it is known in {int(values.sum())} of {len(values)} rows"
            advice = _OF_THE_BASELINE.get(column, "fill it in, so that a model that uses it can be detected")
            yield CohortProblem(line=None, column=column, detail=detail, advice=advice, warning=True)


def check_files(root: Path, rows: Sequence[CohortRow]) -> Iterator[CohortProblem]:
    """Files that are unusable, recordings that occur twice, and recordings shared by families."""
    for column in (RECORDING, TRANSCRIPT):
        usable: list[tuple[CohortRow, Path]] = []
        for row in rows:
            path = row.recording if column == RECORDING else row.transcript
            refused = _refuse(root, path) if path else None
            if refused:
                yield CohortProblem(line=row.line, column=column, detail=refused[0], advice=refused[1])
            elif path:
                usable.append((row, root / path))
        yield from _check_sharing(column, usable)


def _refuse(root: Path, path: str) -> tuple[str, str] | None:
    """The defect of a file and what to do, or None."""
    # A manifest may come from Windows, and pathlib on Linux takes `C:/` for a relative path.
    if PurePosixPath(path).is_absolute() or PureWindowsPath(path).drive:
        return (
            "the path is absolute",
            "write it relative to the manifest, and keep the file below the manifest's folder",
        )
    if "\\" in path:
        return "the path has backslashes", "write / between folders"
    if _escapes(path):
        return "the path leads out of the manifest's folder", "keep the file below the manifest's folder"
    try:
        size = (root / path).stat().st_size if (root / path).is_file() else None
    # ValueError: the path holds a null byte.
    except (OSError, ValueError):
        return "the file cannot be opened", "check that you may read it"
    if size is None:
        return "there is no such file", "check the spelling, capitals included; paths are relative to the manifest"
    return ("the file is empty", "copy it again, or leave the cell empty") if size == 0 else None


def _escapes(path: str) -> bool:
    depth = 0
    for part in PurePosixPath(path).parts:
        depth += -1 if part == ".." else 1
        # At every part: a path may leave the folder and come back.
        if depth < 0:
            return True
    return False


def _check_sharing(column: str, usable: Sequence[tuple[CohortRow, Path]]) -> Iterator[CohortProblem]:
    """Files of equal content: a duplicate within one person, a leak between two families."""
    for members in _equal_contents(usable):
        lines = format_lines([row.line for row in members])
        last = members[-1].line
        if len({row.family for row in members if row.family}) > 1:
            advice = (
                f"families that share a recording are one family: give {lines} the same family, or correct the path"
            )
            yield CohortProblem(line=last, column=column, detail=f"two families share one {column}", advice=advice)
        elif len({row.person for row in members}) < len(members):
            advice = f"keep one of {lines}: each of them would count"
            yield CohortProblem(
                line=last, column=column, detail=f"the {column} of one person occurs twice", advice=advice
            )


def _equal_contents(usable: Sequence[tuple[CohortRow, Path]]) -> Iterator[list[CohortRow]]:
    """Rows whose files have the same content; only files of equal size are read."""
    sizes: dict[int, list[tuple[CohortRow, Path]]] = defaultdict(list)
    for row, path in usable:
        sizes[path.stat().st_size].append((row, path))
    for candidates in sizes.values():
        digests: Mapping[str, list[CohortRow]] = defaultdict(list)
        # A cohort of distinct recordings is never read through (decision 0009).
        for row, path in candidates if len(candidates) > 1 else ():
            digests[_digest(path)].append(row)
        yield from (rows for rows in digests.values() if len(rows) > 1)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_kinship(rows: Sequence[CohortRow]) -> Iterator[CohortProblem]:
    """Persons in two families, and names of persons or families that differ only in capitalisation."""
    for members in _groups(rows, lambda row: row.person):
        if len({row.family for row in members if row.family}) > 1:
            lines = format_lines([row.line for row in members])
            advice = f"a person has one family, the unit of every split: give {lines} the same family"
            yield _at(members[-1], FAMILY, "one person is in two families", advice)
    yield from _check_capitals(rows, PERSON, lambda row: row.person)
    yield from _check_capitals(rows, FAMILY, lambda row: row.family)


def _check_capitals(
    rows: Sequence[CohortRow], column: str, name: Callable[[CohortRow], str]
) -> Iterator[CohortProblem]:
    # `F12` and `f12` would fall on both sides of a split (decision 0009).
    for members in _groups(rows, lambda row: name(row).casefold()):
        if len({name(row) for row in members}) > 1:
            lines = format_lines([row.line for row in members])
            yield _at(members[-1], column, "names differ only in capitalisation", f"use one spelling in {lines}")


def check_contradictions(rows: Sequence[CohortRow], tasks: Sequence[str]) -> Iterator[CohortProblem]:
    """Warn where one person has two outcomes of a task, which is possible when recordings are years apart."""
    for task in tasks:
        for members in _groups((row for row in rows if task in row.labels), lambda row: row.person):
            if len({row.labels[task] for row in members}) > 1:
                lines = format_lines([row.line for row in members])
                advice = f"check {lines}; both labels are used as written"
                yield _at(members[-1], LABEL + task, "one person has different labels", advice, warning=True)


def _groups(rows: Iterable[CohortRow], key: Callable[[CohortRow], str]) -> Iterator[list[CohortRow]]:
    """Groups of two or more rows with an equal, non-empty key."""
    groups: dict[str, list[CohortRow]] = defaultdict(list)
    for row in rows:
        groups[key(row)].append(row)
    yield from (members for name, members in groups.items() if name and len(members) > 1)


def format_lines(lines: Sequence[int]) -> str:
    """Line numbers for a message; of many lines, the first five."""
    shown = ", ".join(str(line) for line in lines[:_SHOWN_LINES])
    more = f" and {len(lines) - _SHOWN_LINES} more" if len(lines) > _SHOWN_LINES else ""
    return f"{'line' if len(lines) == 1 else 'lines'} {shown}{more}"


def _at(row: CohortRow, column: str, detail: str, advice: str, *, warning: bool = False) -> CohortProblem:
    return CohortProblem(line=row.line, column=column, detail=detail, advice=advice, warning=warning)
