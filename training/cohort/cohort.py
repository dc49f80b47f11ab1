"""A cohort: labelled recordings with person and family ids, in the order of the manifest."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from jaxtyping import Float64, Int64

from model.recording.options import NO_OPTIONS, RecordingOptions
from training.errors import CohortProblem, ManifestError

MISSING = -1
"""Label of an unknown outcome: masked in the loss, never imputed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cohort:
    """Recordings with files below the folder `root`; `tasks` are the tasks with a column in the manifest."""

    root: Path
    rows: tuple[CohortRow, ...]
    tasks: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def persons(self) -> tuple[str, ...]:
        """The person of each row."""
        return tuple(row.person for row in self.rows)

    @property
    def families(self) -> tuple[str, ...]:
        """The family of each row, the unit of every split."""
        return tuple(row.family for row in self.rows)

    @property
    def ages(self) -> Float64[np.ndarray, " document"]:
        """The age of each row in years, NaN where unknown."""
        return np.array([np.nan if row.age is None else row.age for row in self.rows], dtype=np.float64)

    def audio(self, position: int) -> Path | None:
        """The audio file of a row; None without audio."""
        return self._below(self.rows[position].recording)

    def transcript(self, position: int) -> Path | None:
        """The transcript file of a row; None without a transcript."""
        return self._below(self.rows[position].transcript)

    def outcomes(self, task: str) -> tuple[str, ...]:
        """The outcomes that occur in a task, in alphabetical order."""
        return tuple(sorted({row.labels[task] for row in self.rows if task in row.labels}))

    def labels(self, task: str, outcomes: Sequence[str]) -> Int64[np.ndarray, " document"]:
        """The index of each row's label in `outcomes`, -1 where the label is missing.

        Raises ManifestError for a task without a column, and for labels that are not among the outcomes.
        """
        self._refuse_unknown(task, outcomes)
        index = {outcome: number for number, outcome in enumerate(outcomes)}
        return np.array(
            [index[row.labels[task]] if task in row.labels else MISSING for row in self.rows], dtype=np.int64
        )

    def with_role(self, role: Role | None) -> Cohort:
        """The rows of a role; all rows when the role is None. Parents and offspring are evaluated apart."""
        return self.take([at for at, row in enumerate(self.rows) if role is None or row.role == role])

    def take(self, positions: Iterable[int]) -> Cohort:
        """The cohort of the given rows, in the given order."""
        return replace(self, rows=tuple(self.rows[position] for position in positions))

    def _below(self, path: str | None) -> Path | None:
        return None if path is None else self.root / path

    def _refuse_unknown(self, task: str, outcomes: Sequence[str]) -> None:
        column = LABEL + task
        if task not in self.tasks:
            known = ", ".join(LABEL + name for name in self.tasks) or "none"
            detail, advice = "there is no such column", f"add it, or name another task (label columns: {known})"
            raise ManifestError([CohortProblem(line=None, column=column, detail=detail, advice=advice)])
        unknown = [row for row in self.rows if task in row.labels and row.labels[task] not in outcomes]
        if unknown:
            raise ManifestError([unknown_outcome(row.line, column, outcomes) for row in unknown])


def unknown_outcome(line: int, column: str, outcomes: Sequence[str]) -> CohortProblem:
    """The problem of a label that is not among the outcomes of a task."""
    advice = f"write one of {', '.join(outcomes)}, or leave the cell empty where it is unknown"
    return CohortProblem(line=line, column=column, detail="this is not an outcome of the task", advice=advice)


Role = Literal["parent", "offspring"]
ROLES: tuple[Role, ...] = get_args(Role)

PERSON, FAMILY, RECORDING, TRANSCRIPT = "person", "family", "recording", "transcript"
REQUIRED = (PERSON, FAMILY, RECORDING, TRANSCRIPT)
ROLE, AGE, SEX, SITE, DEVICE = "role", "age", "sex", "site", "device"
OPTIONAL = (ROLE, AGE, SEX, SITE, DEVICE)
PARTICIPANT, INTERVIEWER = "participant", "interviewer"
AUDIO_TRACK, PARTICIPANT_CHANNEL = "audio_track", "participant_channel"
HEARD = (PARTICIPANT, INTERVIEWER, AUDIO_TRACK, PARTICIPANT_CHANNEL)
"""Columns that say whose words and voice in the recording are the person's."""
SEPARATOR = "|"
"""Between several speaker labels of one cell."""
LABEL, NOTE = "label_", "note_"
NAMED = re.compile(rf"({LABEL}|{NOTE})[a-z][a-z0-9_]*")
"""A label or note column. The name of a task is also used in bundles and URLs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CohortRow:
    """One recording. Paths are relative to the manifest, None where the modality is missing (never both).

    `labels` holds the outcome by task; a task with a missing label is absent. `notes` are kept but not used. `age` is
    in years. An empty sex, site or device is unknown. `options` says who of the speakers is the person. `line` is the
    line of the row in the manifest.
    """

    person: str
    family: str
    recording: str | None
    transcript: str | None
    role: Role | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    age: float | None = None
    sex: str = ""
    site: str = ""
    device: str = ""
    notes: Mapping[str, str] = field(default_factory=dict)
    options: RecordingOptions = NO_OPTIONS
    # Not compared: the same recording may stand on another line of another manifest.
    line: int = field(default=0, compare=False)
