"""The content model of the report: sections of paragraphs, tables and figures, and numbers with their exact value."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup, escape

from training.evaluation.bootstrap import Interval
from training.evaluation.number_format import ABSENT, write_number, write_percent

Text = str | Markup
"""Plain text, which the template escapes, or Markup that this package generated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Paragraph:
    """Running text."""

    text: Text
    kind: str = "paragraph"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportTable:
    """A table; the first cell of a row is its header."""

    caption: Text
    head: tuple[str, ...]
    rows: tuple[tuple[Text, ...], ...]
    kind: str = "table"


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """Panels side by side, or stacked on a narrow page. The caption explains how to read them."""

    name: str
    caption: Text
    panels: tuple[Markup, ...]
    legend: Markup | None = None
    wide: bool = False
    kind: str = "figure"


Block = Paragraph | ReportTable | Figure


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A heading with its blocks."""

    name: str
    title: str
    blocks: tuple[Block, ...]


def number(value: float | None, digits: int = 2) -> Markup:
    """A rounded number with its exact value as an attribute, which tests compare with `metrics.json`."""
    return _data(value, write_number(value, digits))


def count(value: int) -> Markup:
    """A whole number."""
    return _data(value, str(value))


def percent(share: float | None) -> Markup:
    """A share as a percentage; the exact value is the share."""
    return _data(share, write_percent(share))


def estimate(interval: Interval | None, digits: int = 2) -> Markup:
    """A value with its interval, and a mark when resamples were undefined."""
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
