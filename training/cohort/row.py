"""One recording of a cohort, and the columns that describe it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

Role = Literal["parent", "offspring"]
ROLES: tuple[Role, ...] = get_args(Role)

PERSON, FAMILY, RECORDING, TRANSCRIPT = "person", "family", "recording", "transcript"
REQUIRED = (PERSON, FAMILY, RECORDING, TRANSCRIPT)
ROLE, AGE, SEX, SITE, DEVICE = "role", "age", "sex", "site", "device"
OPTIONAL = (ROLE, AGE, SEX, SITE, DEVICE)
LABEL, NOTE = "label_", "note_"
NAMED = re.compile(rf"({LABEL}|{NOTE})[a-z][a-z0-9_]*")
"""A column of labels or of notes; its task's name is a bundle's, and a URL's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CohortRow:
    """One recording; paths are relative to the manifest, None where the modality is missing (never both).

    `labels` holds the outcome's name by task, `notes` what is kept and not used; a task whose label is missing is
    absent. `age` in years. An empty sex, site or device is not known. `line` is where the row stands in its manifest.
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
    line: int = field(default=0, compare=False)
