"""Plots as inline SVG in the colours, fonts and width of the page.

The colours of the plot are replaced by CSS variables, so that a plot follows the light, dark and print themes. The
palette of Okabe and Ito (2008) is distinguishable by colour-blind readers; series in one panel also differ in shape.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Sequence
from typing import Any

import matplotlib as mpl
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.lines import Line2D

INK, MUTED, GRID = "#1b1b1c", "#6a6a6b", "#d4d4d5"
_PALETTE = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8c6d31", "#5b5ea6")
SERIES = _PALETTE * 4
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*") * 4

_VARIABLES = {INK: "--ink", MUTED: "--muted", GRID: "--grid"} | {
    colour: f"--series-{place}" for place, colour in enumerate(_PALETTE)
}
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    # A dollar sign in the name of an outcome begins no formula.
    "text.parse_math": False,
    "font.size": 9.0,
    "axes.titlesize": 9.5,
    "axes.titleweight": "bold",
    "axes.labelsize": 9.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "text.color": INK,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.labelsize": 8.0,
    "ytick.labelsize": 8.0,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "axes.grid": True,
    "axes.axisbelow": True,
    "lines.linewidth": 1.4,
    "legend.frameon": False,
    "legend.fontsize": 8.0,
}
SQUARE = (3.1, 2.9)

_POINTS = 72.0
_ENLARGED = 1.2
"""Largest scale of a panel on the page; the same for all panels, so that their text has one size."""

Paint = Callable[[Axes], None]


def draw(paint: Paint, *, name: str, alt: str, size: tuple[float, float] = SQUARE) -> Markup:
    """An SVG element with the axes that `paint` draws; `name` is unique on the page, `alt` is the alternative text."""
    buffer = io.StringIO()
    # With a fixed salt, equal figures have equal ids and give equal files.
    with mpl.rc_context({**_STYLE, "svg.hashsalt": name}):
        canvas = Canvas(figsize=size, layout="constrained")
        paint(canvas.add_subplot())
        canvas.savefig(buffer, format="svg", transparent=True)
    return _inline(buffer.getvalue(), name, alt)


def draw_legend(labels: Sequence[str], *, name: str) -> Markup:
    """A legend of the markers of several series, for figures whose panels share them."""

    def paint(axes: Axes) -> None:
        handles = [
            Line2D([], [], linestyle="none", marker=MARKERS[place], color=SERIES[place], label=label)
            for place, label in enumerate(labels)
        ]
        axes.set_axis_off()
        axes.legend(handles=handles, loc="center", ncols=len(handles))

    return draw(paint, name=name, alt="Legend: " + ", ".join(labels), size=(1.3 * len(labels), 0.35))


def _inline(svg: str, name: str, alt: str) -> Markup:
    """The SVG element alone, with unique ids and CSS variables for colours, without metadata and addresses."""
    body = svg[svg.index("<svg") :]
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    body = re.sub(r"<defs>\s*<style.*?</style>\s*</defs>", "", body, flags=re.DOTALL)
    body = re.sub(r'\sxmlns(:xlink)?="[^"]*"', "", body).replace("xlink:href", "href")
    body = re.sub(r'\bid="', f'id="{name}-', body)
    body = re.sub(r'href="#', f'href="#{name}-', body)
    body = re.sub(r"url\(#", f"url(#{name}-", body)
    for colour, variable in _VARIABLES.items():
        body = body.replace(colour, f"var({variable})")
    width = float(re.findall(r'viewBox="0 0 ([\d.]+)', body)[0]) / _POINTS * _ENLARGED
    head = Markup('<svg class="plot" role="img" aria-label="{}" style="max-width: {:.2f}in"').format(alt, width)
    body = re.sub(r'^<svg\s+width="[^"]*"\s+height="[^"]*"', lambda _: head, body, count=1)
    return Markup(body)  # noqa: S704 - generated here; the alternative text is escaped
