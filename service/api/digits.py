"""Numbers that a client writes in digits: in headers of a request and of an archive."""

from __future__ import annotations

MAX_DIGITS = 15
"""As many as a number of bytes needs; `int` raises for some thousands of digits."""


def parse_digits(text: str | None, most: int = MAX_DIGITS) -> int | None:
    """The number, or None for anything but one to `most` ASCII digits."""
    return int(text) if text and text.isascii() and text.isdigit() and len(text) <= most else None
