"""A manifest as a table of text, whatever it was read from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from training.cohort.problem import Problem

_INDEX = "__index_level_0__"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """The cells of one row by column, without spaces around them, and where it stands."""

    number: int
    cells: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """What could be read of a manifest, and the problems met on the way; `columns` is empty when nothing could."""

    columns: tuple[str, ...] = ()
    lines: tuple[Line, ...] = ()
    problems: tuple[Problem, ...] = ()


def unreadable(detail: str, advice: str, *, line: int | None = None) -> Table:
    """A table of which nothing could be read, and why."""
    return Table(problems=(Problem(line=line, column=None, detail=detail, advice=advice),))


def check_names(names: Sequence[str]) -> Iterator[Problem]:
    """Columns without a name, or with one that another column has."""
    for position, name in enumerate(names, start=1):
        if name in ("", _INDEX):
            advice = "name it or remove it (pandas writes such a column unless it is told index=False)"
            yield Problem(line=None, column=None, detail=f"column {position} has no name", advice=advice)
    for name in sorted({name for name in names if name and names.count(name) > 1}):
        advice = "keep one of them, or rename one to note_ and a name"
        yield Problem(line=None, column=name, detail=f"{names.count(name)} columns have this name", advice=advice)
