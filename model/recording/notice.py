"""Notices: what reading a file left out, repaired or assumed; each becomes a soft flag of the result."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One finding, with a stable code in snake_case; the message holds no words of the transcript."""

    code: str
    message: str
