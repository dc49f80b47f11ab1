"""Number formatting for reports: `.78 [.73, .83]`, and a dash for None."""

from __future__ import annotations

from training.evaluation.bootstrap import Interval

ABSENT = "\N{EN DASH}"
_WHOLE_FROM = 0.1


def write_number(value: float | None, digits: int = 2) -> str:
    """A decimal number without a leading zero and with a typographic minus sign."""
    if value is None:
        return ABSENT
    written = f"{abs(value):.{digits}f}"
    sign = "\N{MINUS SIGN}" if value < 0 and float(written) else ""
    return sign + (written.removeprefix("0") if digits and abs(float(written)) < 1 else written)


def write_interval(interval: Interval, digits: int = 2) -> str:
    """The value with its interval in brackets, or the value alone without an interval."""
    value = write_number(interval.value, digits)
    if interval.low is None:
        return value
    return f"{value} [{write_number(interval.low, digits)}, {write_number(interval.high, digits)}]"


def write_percent(share: float | None) -> str:
    """A share as a percentage: whole from 10 % on, with one decimal below."""
    if share is None:
        return ABSENT
    return f"{100 * share:.{0 if share >= _WHOLE_FROM or not share else 1}f}\N{NO-BREAK SPACE}%"
