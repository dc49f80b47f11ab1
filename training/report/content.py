"""What the page is made of: sections of paragraphs, tables and figures, and numbers that know their exact value."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup, escape

from training.evaluation.bootstrap import Interval
from training.evaluation.number_format import ABSENT, write_number, write_percent

Text = str | Markup
"""Plain text is escaped by the template; Markup holds elements that this package made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Paragraph:
    """Running text."""

    text: Text
    kind: str = "paragraph"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportTable:
    """Rows under a head; the first cell of a row is its header."""

    caption: Text
    head: tuple[str, ...]
    rows: tuple[tuple[Text, ...], ...]
    kind: str = "table"


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """Panels side by side, one below the other where the page is narrow; the caption says how to read them."""

    name: str
    caption: Text
    panels: tuple[Markup, ...]
    legend: Markup | None = None
    wide: bool = False
    kind: str = "figure"


Block = Paragraph | ReportTable | Figure


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A heading of the page and what stands below it."""

    name: str
    title: str
    blocks: tuple[Block, ...]


def number(value: float | None, digits: int = 2) -> Markup:
    """A rounded number that carries its exact value, so that the page can be compared with `metrics.json`."""
    return _data(value, write_number(value, digits))


def count(value: int) -> Markup:
    """A whole number."""
    return _data(value, str(value))


def percent(share: float | None) -> Markup:
    """A share in per cent; the exact value is the share."""
    return _data(share, write_percent(share))


def estimate(interval: Interval | None, digits: int = 2) -> Markup:
    """A value and its interval; a mark says how many resamples were undefined."""
    if interval is None or interval.value is None:
        return escape(ABSENT)
    written = number(interval.value, digits)
    if interval.low is not None:
        low, high = number(interval.low, digits), number(interval.high, digits)
        written += Markup(' <span class="interval">[{}, {}]</span>').format(low, high)
    if interval.undefined:
        note = f"undefined in {interval.undefined} of {interval.resamples} resamples"
        written += Markup(' <abbr title="{}">*</abbr>').format(note)
    return written


def _data(value: float | None, written: str) -> Markup:
    if value is None:
        return escape(ABSENT)
    return Markup('<data value="{}">{}</data>').format(repr(value), written)
