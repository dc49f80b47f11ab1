"""Who is calling: the value every query is made for."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """The holder of a valid API key; `tenant` bounds all that it can see."""

    key_id: str
    tenant: str
