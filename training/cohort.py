"""A cohort on disk: labelled recordings described by a manifest with person and family ids."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from model.config import Settings


class ManifestError(ValueError):
    """A manifest that cannot be used as it is; the message names the line and says what to do."""


class CohortRow(Settings):
    """One recording of a cohort; paths are relative to the manifest."""

    person: str
    family: str
    role: Literal["parent", "offspring"]
    outcome: str
    carrier: Literal["audio", "text", "both", "none"] = "none"
    recording: str
    transcript: str


def write_manifest(path: Path, rows: Iterable[CohortRow]) -> Path:
    """Writes the rows as CSV, each as soon as it is known."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(CohortRow.model_fields), lineterminator="\n")
        writer.writeheader()
        for row in rows:
            writer.writerow(row.model_dump())
    return path


def read_manifest(path: Path) -> tuple[CohortRow, ...]:
    """The rows of a manifest.

    Raises ManifestError when a column is missing or unknown, or when the manifest has no row.
    """
    with path.open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    if not lines:
        raise ManifestError("the manifest has no row: it needs a header and a line for each recording")
    return tuple(_read_row(number, line) for number, line in enumerate(lines, start=2))


def _read_row(number: int, line: dict[str, str]) -> CohortRow:
    try:
        return CohortRow.model_validate(line)
    except ValidationError as error:
        columns = ", ".join(sorted({str(problem["loc"][0]) for problem in error.errors()}))
        raise ManifestError(f"line {number} of the manifest: check the columns {columns}") from error
