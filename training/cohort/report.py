"""The console report of a cohort: its problems and its counts."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from training.cohort.cohort import LABEL, ROLES, Cohort
from training.cohort.manifest import CohortRequirements, ManifestInspection
from training.errors import CohortProblem


def print_inspection(inspection: ManifestInspection, requirements: CohortRequirements, console: Console) -> None:
    """Print the problems, then the counts of the readable part."""
    if inspection.problems:
        print_problems(inspection.problems, console)
    if inspection.cohort.rows:
        print_counts(inspection.cohort, requirements, console)
    errors = len(inspection.errors)
    warnings = len(inspection.problems) - errors
    console.print(f"{_count(errors, 'error')}, {_count(warnings, 'warning')}")


def print_problems(problems: Sequence[CohortProblem], console: Console) -> None:
    """Print a table of problems: place, defect and advice."""
    table = Table("line", "column", "", "problem", "what to do", header_style="bold")
    for problem in problems:
        kind = Text("warning", style="yellow") if problem.warning else Text("error", style="red")
        where = "" if problem.line is None else str(problem.line)
        table.add_row(where, Text(problem.column or ""), kind, Text(problem.detail), Text(problem.advice))
    console.print(table)


def print_counts(cohort: Cohort, requirements: CohortRequirements, console: Console) -> None:
    """Print the number of documents, persons, families and modalities, and the outcomes of each task by role."""
    rows = cohort.rows
    console.print(
        f"{_count(len(rows), 'document')} of {_count(len(set(cohort.persons)), 'person')} "
        f"in {_count(len(set(cohort.families)), 'family', 'families')}"
        + (f", role {requirements.role}" if requirements.role else "")
    )
    without_audio = sum(row.recording is None for row in rows)
    without_transcript = sum(row.transcript is None for row in rows)
    console.print(f"without audio: {without_audio}; without transcript: {without_transcript}")
    for task in cohort.tasks:
        if requirements.task in (None, task):
            console.print(_count_outcomes(cohort, task, requirements.outcomes))


def _count_outcomes(cohort: Cohort, task: str, outcomes: Sequence[str]) -> Table:
    table = Table("outcome", title=LABEL + task, title_justify="left", header_style="bold")
    for name in ("documents", "persons", "families", *ROLES, "no role"):
        table.add_column(name, justify="right")
    for outcome in (*(outcomes or cohort.outcomes(task)), None):
        members = [row for row in cohort.rows if row.labels.get(task) == outcome]
        if outcome is None and not members:
            continue
        counts = [len(members), len({row.person for row in members}), len({row.family for row in members})]
        counts += [sum(row.role == role for row in members) for role in (*ROLES, None)]
        table.add_row(Text(outcome or "(missing)"), *(str(count) for count in counts))
    return table


def _count(number: int, singular: str, many: str | None = None) -> str:
    return f"{number} {singular if number == 1 else many or singular + 's'}"
