"""What is wrong with a cohort, where, and what to do about it.

    CohortError(ValueError)
    ├── ManifestError        the manifest, or a file that it names, cannot be used as it is
    └── CohortEncodingError        recordings that cannot be decoded or parsed

A message names lines and columns. It never holds what stands in a cell, for that is somebody's data.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class CohortProblem:
    """One thing to mend; `line` counts from 1, the header included, and is None where the whole file is meant.

    In a Parquet manifest, which has no lines, `line` is the row, counted from 1. A warning does not refuse the cohort.
    """

    line: int | None
    column: str | None
    detail: str
    advice: str
    warning: bool = False

    def __str__(self) -> str:
        where = [f"line {self.line}"] if self.line is not None else []
        where += [f"column {self.column}"] if self.column is not None else []
        return f"{', '.join(where) or 'the manifest'}: {self.detail}: {self.advice}"


class CohortError(ValueError):
    """A cohort that cannot be used as it is; `problems` are all that was found, not only the first."""

    def __init__(self, problems: Sequence[CohortProblem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = tuple(problems)


class ManifestError(CohortError):
    """The manifest, or a file that it names, cannot be used as it is."""


class CohortEncodingError(CohortError):
    """Recordings that cannot be decoded, or transcripts that cannot be parsed."""


def sort_problems(problems: Iterable[CohortProblem]) -> tuple[CohortProblem, ...]:
    """Errors before warnings, each from the top of the manifest to its end."""
    return tuple(
        sorted(problems, key=lambda problem: (problem.warning, problem.line or 0, problem.column or "", problem.detail))
    )


def format_lines(lines: Sequence[int]) -> str:
    """Some lines for a message; of many, the first few."""
    shown = ", ".join(str(line) for line in lines[:_SHOWN])
    more = f" and {len(lines) - _SHOWN} more" if len(lines) > _SHOWN else ""
    return f"{'line' if len(lines) == 1 else 'lines'} {shown}{more}"


_SHOWN = 5
