"""The section on model comparison: a forest plot of macro AUROCs, and paired differences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from markupsafe import Markup
from matplotlib.axes import Axes

from training.evaluation.bootstrap import Interval
from training.evaluation.comparison import COVARIATES
from training.evaluation.measures import Measures
from training.evaluation.number_format import write_interval
from training.report.content import Figure, Paragraph, ReportTable, Section, count, estimate, number
from training.report.drawing import INK, MUTED, SERIES, draw

_SHOWN = {"better": "yes", "worse": "no, worse", "neither": "not shown"}


def render_model_comparison(measures: Measures) -> Section:
    """HILBERT and the baselines on the same documents, folds and resamples."""
    arms, comparisons = measures.line_up.arms, measures.line_up.comparisons
    first = arms[0].title
    return Section(
        name="models",
        title="Comparison with other models",
        blocks=(
            Paragraph(
                text="Every model was tuned on the inner folds and tested on the same documents. The covariates' model "
                "is a logistic regression on age, sex, duration and signal-to-noise ratio. A model that does not beat "
                "it has shown no use of voice or words."
            ),
            _draw(measures),
            ReportTable(
                caption="Each model; log loss in nats and Brier score, lower is better. Tried: number of tuning "
                "candidates. Taken: number of folds that selected each candidate.",
                head=("Model", "Macro AUROC", "Log loss", "Brier score", "Tried", "Taken", "Seconds"),
                rows=tuple(
                    (
                        arm.title,
                        estimate(arm.macro_auroc),
                        estimate(arm.log_loss),
                        estimate(arm.brier),
                        count(arm.candidates),
                        _render_chosen(arm.chosen),
                        number(arm.seconds, 0),
                    )
                    for arm in arms
                ),
            ),
            ReportTable(
                caption=f"Paired differences: {first} minus each other model, on the same resampled families, so that "
                "common variation cancels. Not adjusted for multiple comparisons.",
                head=("Minus", "Macro AUROC (above 0 better)", "Log loss (below 0 better)", f"{first} better?"),
                rows=tuple(
                    (
                        comparison.title,
                        estimate(comparison.macro_auroc, 3),
                        estimate(comparison.log_loss, 3),
                        _SHOWN[comparison.shown],
                    )
                    for comparison in comparisons
                ),
            ),
        ),
    )


def draw_forest(
    rows: Sequence[tuple[str, Interval | None]], *, name: str, axis: str, title: str, line: float
) -> Markup:
    """A forest plot: one interval per row, with the line of no effect; the first row has its own colour."""

    def paint(axes: Axes) -> None:
        axes.axvline(line, color=MUTED, linestyle="--", linewidth=1)
        for place, (_, interval) in enumerate(rows):
            if interval is None or interval.value is None:
                continue
            colour = SERIES[0] if place == 0 else INK
            if interval.low is not None and interval.high is not None:
                axes.plot([interval.low, interval.high], [place, place], color=colour, linewidth=1.8)
            axes.plot(interval.value, place, "o", color=colour, markersize=4.5)
        axes.set_yticks(range(len(rows)), [label for label, _ in rows])
        axes.set_ylim(len(rows) - 0.5, -0.5)
        axes.grid(axis="y", visible=False)
        axes.set_xlabel(axis)
        axes.set_title(title, loc="left")

    summary = "; ".join(
        f"{label} {write_interval(interval) if interval else 'not measured'}" for label, interval in rows
    )
    return draw(paint, name=name, alt=f"{title}: {summary}", size=(4.4, 0.9 + 0.27 * len(rows)))


def _draw(measures: Measures) -> Figure:
    arms = measures.line_up.arms
    compared = [comparison for comparison in measures.line_up.comparisons if comparison.name != COVARIATES]
    panels = [
        draw_forest(
            [(arm.title, arm.macro_auroc) for arm in arms],
            name="forest-arms",
            axis="macro AUROC",
            line=0.5,
            title="Each model",
        )
    ]
    if compared:
        panels.append(
            draw_forest(
                [(f"minus {comparison.title}", comparison.macro_auroc) for comparison in compared],
                name="forest-differences",
                axis="difference in macro AUROC",
                line=0.0,
                title=f"{arms[0].title}, differences",
            )
        )
    return Figure(
        name="arms",
        caption=f"Left: macro AUROC of each model with its interval, {measures.counts.labelled} labelled documents of "
        f"{measures.counts.families} families; the dashed line is chance. Right: {arms[0].title} minus each other "
        "trained model, on its own scale; the table has the covariates. Where an interval includes the dashed line at "
        "0, no difference is shown. Intervals that overlap on the left may still show a difference on the right, where "
        "the models are compared document by document.",
        panels=tuple(panels),
        wide=True,
    )


def _render_chosen(chosen: Mapping[str, int]) -> Markup:
    return Markup(", ").join(Markup("{} ({})").format(label, count(folds)) for label, folds in chosen.items())
