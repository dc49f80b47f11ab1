"""The authenticated caller, which every query of a client's data requires."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """The holder of a valid API key; queries see the rows of `tenant` only."""

    key_id: str
    tenant: str
