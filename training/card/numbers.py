"""Numbers in a model card: filled in from the evaluation by JSON pointers, and checked against it.

An authored text names a number as `{{ /arms/0/macro_auroc/value | .3f }}`. In the rendered README.md each number is
inside a `<span data-metric="/arms/0/macro_auroc/value">`, so that it can be checked. An author may also write such a
span with a typed number, which is checked in the same way.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TypeAlias

from jsonpointer import JsonPointer, JsonPointerException
from pydantic import JsonValue

from training.errors import CardError

NOT_EVALUATED = "not evaluated"
UNDEFINED = "undefined"
NAMED = re.compile(r"\{\{\s*(?P<pointer>/[^\s|}]*)\s*(?:\|\s*(?P<form>[^\s}]+)\s*)?\}\}")
MARKED = re.compile(r'<span data-metric="(?P<pointer>[^"]*)">(?P<shown>[^<]*)</span>')
PERCENT = re.compile(r"^(?P<number>.*?)\s*%$")

Metrics: TypeAlias = JsonValue


def look_up(metrics: Metrics, pointer: str) -> float | int | None:
    """The number at a pointer, None where it is undefined in the evaluation; raises CardError."""
    try:
        value = JsonPointer(pointer).resolve(metrics)
    except JsonPointerException as error:
        raise CardError(f"the evaluation has nothing at {pointer}") from error
    if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
        raise CardError(f"the evaluation has no number at {pointer}")
    return value


def show(metrics: Metrics | None, pointer: str, form: str) -> str:
    """The number at a pointer as text; `not evaluated` without an evaluation, `undefined` for a null."""
    if metrics is None:
        return NOT_EVALUATED
    value = look_up(metrics, pointer)
    if value is None:
        return UNDEFINED
    try:
        return format(value, "d" if isinstance(value, int) and not form.endswith("%") else form)
    except ValueError as error:
        raise CardError(f"{form} is not a format for the number at {pointer}") from error


def mark(metrics: Metrics | None, pointer: str, form: str) -> str:
    """The number at a pointer inside its span."""
    shown = show(metrics, pointer, form)
    return shown if metrics is None else f'<span data-metric="{pointer}">{shown}</span>'


def fill(text: str, metrics: Metrics | None, *, marked: bool) -> str:
    """A text with all named numbers filled in; with `marked=False` all spans are removed."""

    def number(match: re.Match[str]) -> str:
        write = mark if marked else show
        return write(metrics, match["pointer"], match["form"] or ".3f")

    filled = NAMED.sub(number, text)
    return filled if marked else MARKED.sub(lambda match: match["shown"], filled)


def check_marked(text: str, metrics: Metrics) -> int:
    """Compare every number in a span with the evaluation, at its written precision; returns their count.

    Raises CardError with the first number that differs and both values.
    """
    marks = list(MARKED.finditer(text))
    for match in marks:
        value = look_up(metrics, match["pointer"])
        if not _agrees(match["shown"].strip(), value):
            refuse_difference(match["pointer"], match["shown"], value)
    return len(marks)


def refuse_difference(pointer: str, shown: object, value: object) -> None:
    """Raise CardError for a number of the card that differs from the evaluation."""
    expected = UNDEFINED if value is None else value
    raise CardError(f"{pointer}: the card says {shown}, the evaluation {expected}")


def _agrees(shown: str, value: float | int | None) -> bool:
    if value is None:
        return shown == UNDEFINED
    percent = PERCENT.match(shown)
    try:
        written = Decimal(percent["number"] if percent else shown)
    except ArithmeticError:
        return False
    exponent = written.as_tuple().exponent
    if not isinstance(exponent, int):
        return False
    exact = Decimal(repr(value)) * (100 if percent else 1)
    # Half a unit of the last digit, with a margin because binary fractions round either way at a tie.
    return abs(exact - written) <= Decimal(5).scaleb(exponent - 1) * (1 + Decimal("1e-9"))
