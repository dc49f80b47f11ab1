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
from training.cohort.problems import CohortProblem, format_lines

FEWEST_FAMILIES = 5
"""Families an outcome needs to be in every one of five folds."""
_MOST_MISSING = 0.5
_OF_THE_BASELINE = dict.fromkeys((AGE, SEX), "fill it in: the baseline that a model must beat rests on it")


def check_outcomes(cohort: Cohort, task: str, outcomes: Sequence[str]) -> Iterator[CohortProblem]:
    """Labels that are none of the task's outcomes; outcomes in too few families; empty `outcomes` means any."""
    column = LABEL + task
    if outcomes:
        strangers = [row for row in cohort.rows if task in row.labels and row.labels[task] not in outcomes]
        yield from (unknown_outcome(row.line, column, outcomes) for row in strangers)
    for outcome in outcomes or cohort.outcomes(task):
        families = {row.family for row in cohort.rows if row.labels.get(task) == outcome}
        if len(families) < FEWEST_FAMILIES:
            detail = f"the outcome {outcome} is in {len(families)} {'family' if len(families) == 1 else 'families'}"
            advice = f"below {FEWEST_FAMILIES} some folds test none: expect no measure of this outcome"
            yield CohortProblem(line=None, column=column, detail=detail, advice=advice, warning=True)


def check_covariates(cohort: Cohort) -> Iterator[CohortProblem]:
    """Warns of covariates that are mostly unknown; of site and device only where somebody began to fill them in."""
    known = {
        AGE: np.isfinite(cohort.ages),
        SEX: np.array([bool(row.sex) for row in cohort.rows]),
        SITE: np.array([bool(row.site) for row in cohort.rows]),
        DEVICE: np.array([bool(row.device) for row in cohort.rows]),
    }
    for column, values in known.items():
        wanted = column in _OF_THE_BASELINE or values.any()
        if wanted and len(values) and 1 - values.mean() > _MOST_MISSING:
            detail = f"it is known in {int(values.sum())} of {len(values)} rows"
            advice = _OF_THE_BASELINE.get(column, "fill it in: only then can a model that learnt it be told")
            yield CohortProblem(line=None, column=column, detail=detail, advice=advice, warning=True)


def check_files(root: Path, rows: Sequence[CohortRow]) -> Iterator[CohortProblem]:
    """Files that cannot be used, recordings that stand twice, and recordings shared by families."""
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
    """What is wrong with a file, and what to do."""
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
    except (OSError, ValueError):
        return "the file cannot be opened", "check that you may read it"
    if size is None:
        return "there is no such file", "check the spelling, capitals included; paths are relative to the manifest"
    return ("the file is empty", "copy it again, or leave the cell empty") if size == 0 else None


def _escapes(path: str) -> bool:
    depth = 0
    for part in PurePosixPath(path).parts:
        depth += -1 if part == ".." else 1
        if depth < 0:
            return True
    return False


def _check_sharing(column: str, usable: Sequence[tuple[CohortRow, Path]]) -> Iterator[CohortProblem]:
    """Equal contents: in one person's rows a recording that counts twice, in two families a leak."""
    for members in _equal_contents(usable):
        lines = format_lines([row.line for row in members])
        last = members[-1].line
        if len({row.family for row in members if row.family}) > 1:
            advice = f"families that share a recording are one family: give {lines} the same family, or mend the path"
            yield CohortProblem(line=last, column=column, detail=f"two families share one {column}", advice=advice)
        elif len({row.person for row in members}) < len(members):
            advice = f"keep one of {lines}, for each would count"
            yield CohortProblem(line=last, column=column, detail=f"one person's {column} stands twice", advice=advice)


def _equal_contents(usable: Sequence[tuple[CohortRow, Path]]) -> Iterator[list[CohortRow]]:
    """Rows whose files hold the same bytes; only files of equal size are read."""
    sizes: dict[int, list[tuple[CohortRow, Path]]] = defaultdict(list)
    for row, path in usable:
        sizes[path.stat().st_size].append((row, path))
    for candidates in sizes.values():
        digests: Mapping[str, list[CohortRow]] = defaultdict(list)
        for row, path in candidates if len(candidates) > 1 else ():
            digests[_digest(path)].append(row)
        yield from (rows for rows in digests.values() if len(rows) > 1)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_kinship(rows: Sequence[CohortRow]) -> Iterator[CohortProblem]:
    """Persons in two families, and names of persons or families that differ in capitals alone."""
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
    for members in _groups(rows, lambda row: name(row).casefold()):
        if len({name(row) for row in members}) > 1:
            lines = format_lines([row.line for row in members])
            yield _at(members[-1], column, "names differ in capitals alone", f"write them alike in {lines}")


def check_contradictions(rows: Sequence[CohortRow], tasks: Sequence[str]) -> Iterator[CohortProblem]:
    """Warns where one person has two outcomes of a task; it may be so, when recordings are years apart."""
    for task in tasks:
        for members in _groups((row for row in rows if task in row.labels), lambda row: row.person):
            if len({row.labels[task] for row in members}) > 1:
                lines = format_lines([row.line for row in members])
                advice = f"check {lines}; both labels are used as they stand"
                yield _at(members[-1], LABEL + task, "one person has different labels", advice, warning=True)


def _groups(rows: Iterable[CohortRow], key: Callable[[CohortRow], str]) -> Iterator[list[CohortRow]]:
    """Rows of equal key, two or more; rows whose key is empty belong to nobody."""
    groups: dict[str, list[CohortRow]] = defaultdict(list)
    for row in rows:
        groups[key(row)].append(row)
    yield from (members for name, members in groups.items() if name and len(members) > 1)


def _at(row: CohortRow, column: str, detail: str, advice: str, *, warning: bool = False) -> CohortProblem:
    return CohortProblem(line=row.line, column=column, detail=detail, advice=advice, warning=warning)
