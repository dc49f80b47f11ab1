"""Clock times such as 01:02:03.5."""

from __future__ import annotations

import re

# Every quantifier is bounded, so that the time of a match is bounded too.
CLOCK = r"(?:[0-9]{1,4}:)?[0-9]{1,3}:[0-9]{1,2}(?:[.,][0-9]{0,9})?"
_PARTS = re.compile(r"(?:([0-9]{1,4}):)?([0-9]{1,3}):([0-9]{1,2})(?:[.,]([0-9]{0,9}))?")
LAST_OF_CLOCK = 59


def parse_clock(text: str) -> float | None:
    """Seconds of `hours:minutes:seconds.fraction` or `minutes:seconds`; None if the text is no such time.

    The fraction has 0 to 9 digits after a dot or a comma. Minutes end at 59 where hours are given.
    """
    match = _PARTS.fullmatch(text)
    if match is None:
        return None
    hours, minutes, seconds = int(match[1] or 0), int(match[2]), int(match[3])
    if seconds > LAST_OF_CLOCK or (match[1] is not None and minutes > LAST_OF_CLOCK):
        return None
    return hours * 3600 + minutes * 60 + seconds + float(f"0.{match[4] or 0}")
