"""The robustness table as text of the card, as a plot, and as a page."""

from __future__ import annotations

import html
import io
from collections.abc import Iterator
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from training.robustness.table import ConditionRow, RobustnessTable

PLOT = "robustness.svg"
HEAD = ("condition", "recordings", "no score", "mean change", "largest change", "likeliest outcome changed")
SYNTHETIC = (
    "The recordings are synthetic: the numbers show how this bundle reacts to a condition, "
    "and say nothing about people."
)
_STYLE: dict[Any, Any] = {
    # Fixed ids, and no date below: equal tables give equal files.
    "svg.fonttype": "none",
    "svg.hashsalt": "robustness",
    "font.size": 9.0,
    "axes.grid": True,
    "axes.axisbelow": True,
}
_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8"/>
<meta name="viewport" content="width=device-width, initial-scale=1"/>
<title>HILBERT: robustness of the task {task}</title>
<style>
body {{ font: 1rem/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem; }}
table {{ border-collapse: collapse; font-variant-numeric: tabular-nums; width: 100%; }}
th, td {{ border-bottom: 1px solid #d4d4d5; padding: .2rem .6rem; text-align: right; }}
th:first-child {{ text-align: left; font-weight: normal; }}
svg {{ height: auto; max-width: 100%; }}
</style>
</head>
<body>
<h1>Robustness of the task <em>{task}</em></h1>
<p><strong>Research use, never a diagnosis.</strong> {intro}</p>
{plot}
<table>
<caption>Change of the probabilities under each condition. Every number is in <code>robustness.json</code>.</caption>
<thead><tr>{head}</tr></thead>
<tbody>
{rows}
</tbody>
</table>
<p>{halves}</p>
{problems}
</body>
</html>
"""


def render_page(table: RobustnessTable) -> str:
    """One self-contained HTML document: no network, no script, no other file."""
    plot = draw_changes(table)
    rows = "\n".join(
        "<tr>" + f'<th scope="row">{html.escape(name)}</th>' + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"
        for name, *cells in map(written, table.rows)
    )
    problems = "".join(f"<li>{html.escape(problem)}</li>" for problem in table.violations())
    return _PAGE.format(
        task=html.escape(table.task),
        intro=html.escape(introduction(table)),
        # HTML must not hold the XML declaration and the document type of an SVG file.
        plot=plot[plot.index("<svg") :],
        head="".join(f'<th scope="col">{title}</th>' for title in HEAD),
        rows=rows,
        halves=html.escape(halves_sentence(table)),
        problems=f"<h2>Bounds that are broken</h2><ul>{problems}</ul>" if problems else "<p>Every bound is kept.</p>",
    )


def render_card_section(table: RobustnessTable) -> Iterator[str]:
    """Blocks of Markdown for the model card: heading, introduction, plot, table, agreement of halves."""
    yield "## Robustness"
    yield introduction(table)
    yield f"![Mean change of the probabilities under each condition]({PLOT})"
    rows = [HEAD, ("---",) + ("---:",) * (len(HEAD) - 1), *map(written, table.rows)]
    yield "\n".join(f"| {' | '.join(row)} |" for row in rows)
    yield halves_sentence(table)


def introduction(table: RobustnessTable) -> str:
    """What was measured on how many recordings."""
    unscored = f" {table.unscored} more get no score as they are." if table.unscored else ""
    synthetic = f" {SYNTHETIC}" if table.synthetic else ""
    return (
        f"Each of {table.recordings} recordings was scored as it is and again under every condition.{unscored} A "
        "change is the absolute difference of a probability; the mean is that of the outcome that changes most."
        f"{synthetic}"
    )


def halves_sentence(table: RobustnessTable) -> str:
    """The agreement of both halves of a recording, by outcome."""
    if table.halves is None:
        return "The halves of a recording were not compared."
    values = ", ".join(
        f"{outcome} {'undefined' if value is None else f'{value:.2f}'}" for outcome, value in table.halves.items()
    )
    return f"Intraclass correlation, ICC(2,1), of the probabilities of the first and the second half: {values}."


def written(row: ConditionRow) -> tuple[str, ...]:
    """The cells of a row, as shown."""
    worst = max(row.mean_change.values(), default=None)
    return (
        row.name,
        str(row.recordings),
        str(row.abstained),
        "-" if worst is None else f"{worst:.3f}",
        "-" if row.largest_change is None else f"{row.largest_change:.3f}",
        "-" if row.top_changed is None else f"{row.top_changed:.0%}",
    )


def draw_changes(table: RobustnessTable) -> str:
    """An SVG file: a bar for the mean change of each outcome under each condition."""
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(7.5, 0.24 * len(table.rows) * 1.4 + 0.8), layout="constrained")
        axes = figure.add_subplot()
        height = 0.8 / len(table.outcomes)
        for at, outcome in enumerate(table.outcomes):
            places = [place + (at - (len(table.outcomes) - 1) / 2) * height for place in range(len(table.rows))]
            values = [row.mean_change.get(outcome, 0.0) for row in table.rows]
            axes.barh(places, values, height=height, label=outcome)
        axes.set_yticks(range(len(table.rows)), [row.name for row in table.rows])
        axes.invert_yaxis()
        axes.set_xlabel("mean absolute change of the probability")
        axes.legend(frameon=False, loc="lower right")
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    return buffer.getvalue()
