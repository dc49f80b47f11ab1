"""What rows say together: persons in one family each, names that differ by a slip, labels that contradict."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence

from training.cohort.problem import Problem, name_lines
from training.cohort.row import FAMILY, LABEL, PERSON, CohortRow


def check_kinship(rows: Sequence[CohortRow]) -> Iterator[Problem]:
    """Persons in two families, and names of persons or families that differ in capitals alone."""
    for members in _groups(rows, lambda row: row.person):
        if len({row.family for row in members if row.family}) > 1:
            lines = name_lines([row.line for row in members])
            advice = f"a person has one family, the unit of every split: give {lines} the same family"
            yield _at(members[-1], FAMILY, "one person is in two families", advice)
    yield from _check_capitals(rows, PERSON, lambda row: row.person)
    yield from _check_capitals(rows, FAMILY, lambda row: row.family)


def _check_capitals(rows: Sequence[CohortRow], column: str, name: Callable[[CohortRow], str]) -> Iterator[Problem]:
    for members in _groups(rows, lambda row: name(row).casefold()):
        if len({name(row) for row in members}) > 1:
            lines = name_lines([row.line for row in members])
            yield _at(members[-1], column, "names differ in capitals alone", f"write them alike in {lines}")


def check_contradictions(rows: Sequence[CohortRow], tasks: Sequence[str]) -> Iterator[Problem]:
    """Warns where one person has two outcomes of a task; it may be so, when recordings are years apart."""
    for task in tasks:
        for members in _groups((row for row in rows if task in row.labels), lambda row: row.person):
            if len({row.labels[task] for row in members}) > 1:
                lines = name_lines([row.line for row in members])
                advice = f"check {lines}; both labels are used as they stand"
                yield _at(members[-1], LABEL + task, "one person has different labels", advice, warning=True)


def _groups(rows: Iterable[CohortRow], key: Callable[[CohortRow], str]) -> Iterator[list[CohortRow]]:
    """Rows of equal key, two or more; rows whose key is empty belong to nobody."""
    found: dict[str, list[CohortRow]] = defaultdict(list)
    for row in rows:
        found[key(row)].append(row)
    yield from (members for name, members in found.items() if name and len(members) > 1)


def _at(row: CohortRow, column: str, detail: str, advice: str, *, warning: bool = False) -> Problem:
    return Problem(line=row.line, column=column, detail=detail, advice=advice, warning=warning)
