"""Reads one line of a manifest; what is wrong in a cell is noted, and the cell taken as empty."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence

from training.cohort.columns import notes_of, tasks_of
from training.cohort.problem import Problem
from training.cohort.row import (
    AGE,
    DEVICE,
    FAMILY,
    LABEL,
    NOTE,
    PERSON,
    RECORDING,
    ROLE,
    ROLES,
    SEX,
    SITE,
    TRANSCRIPT,
    CohortRow,
    Role,
)
from training.cohort.table import Line

OLDEST = 120.0
_NUMBER = re.compile(r"[0-9]+(\.[0-9]+)?")
_PLACEHOLDERS = {"na", "n/a", "nan", "null", "#n/a", "?", "-", "--", "."}
_ALONE = "every row has a person and a family; give somebody without known relatives a family of their own"
_UNKNOWN = "leave the cell empty where it is not known"


def read_row(line: Line, columns: Sequence[str]) -> tuple[CohortRow, list[Problem]]:
    """The row, and what is wrong with it by itself; files are not looked at."""
    cells = _Cells(line)
    row = CohortRow(
        line=line.number,
        person=cells.required(PERSON),
        family=cells.required(FAMILY),
        recording=cells.known(RECORDING) or None,
        transcript=cells.known(TRANSCRIPT) or None,
        role=cells.role(),
        labels={task: outcome for task in tasks_of(columns) if (outcome := cells.identifier(LABEL + task))},
        age=cells.age(),
        sex=cells.known(SEX),
        site=cells.known(SITE),
        device=cells.known(DEVICE),
        notes={note: line.cells[NOTE + note] for note in notes_of(columns)},
    )
    if row.recording is None and row.transcript is None and {RECORDING, TRANSCRIPT} <= line.cells.keys():
        advice = "name the recording's file, its transcript's, or both; remove the line where there is neither"
        cells.note(None, "neither a recording nor a transcript is named", advice)
    return row, cells.problems


class _Cells:
    """The cells of one line, and the problems found while they are read."""

    def __init__(self, line: Line) -> None:
        self.number = line.number
        self.cells: Mapping[str, str] = line.cells
        self.problems: list[Problem] = []

    def note(self, column: str | None, detail: str, advice: str) -> None:
        self.problems.append(Problem(line=self.number, column=column, detail=detail, advice=advice))

    def known(self, column: str) -> str:
        """The cell; statistics programs write NA and the like for what is not known, which would be taken as a name."""
        text = self.cells.get(column, "")
        if text.lower() not in _PLACEHOLDERS:
            return text
        self.note(column, "this stands for something unknown", "leave the cell empty")
        return ""

    def identifier(self, column: str) -> str:
        """A name that is compared with others: in one form of Unicode, for two forms look the same."""
        return unicodedata.normalize("NFC", self.known(column))

    def required(self, column: str) -> str:
        text = self.identifier(column)
        if not text and not self.cells.get(column, "missing column"):
            self.note(column, "the cell is empty", _ALONE)
        return text

    def role(self) -> Role | None:
        text = self.known(ROLE)
        for role in ROLES:
            if text == role:
                return role
        if text:
            self.note(ROLE, "this is no role", f"write {' or '.join(ROLES)}, or {_UNKNOWN}")
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
