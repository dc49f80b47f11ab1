"""The section on decisions: confusion matrix, thresholds and decision curves."""

from __future__ import annotations

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from training.evaluation.decisions import ArgmaxDecisions, BenefitCurve
from training.evaluation.measures import Measures
from training.evaluation.number_format import write_percent
from training.report.content import Figure, Paragraph, ReportTable, Section, count, estimate, number
from training.report.drawing import INK, MUTED, SERIES, draw

_DARKEST = 0.7
"""Opacity of a share of 1, at which the text on it is still legible."""


def render_decisions(measures: Measures) -> Section:
    """Decisions by the most probable outcome and by thresholds, and decision curves."""
    return Section(
        name="decisions",
        title="Decisions",
        blocks=(
            Paragraph(
                text="The risks are the result. A decision needs a rule, and two rules are shown. The first decides "
                "for the most probable outcome, which a rare outcome seldom is. The second decides for each outcome "
                "separately, at a threshold that the inner folds chose by balanced accuracy, without the test "
                "documents. By the second rule a document may be flagged for several outcomes or for none."
            ),
            _draw_confusion(measures),
            _tabulate_confusion(measures),
            ReportTable(
                caption="Each outcome against the rest at its inner-fold thresholds. Precision depends on the "
                "prevalence in this cohort and does not carry over to another.",
                head=(
                    *("Outcome", "Cases", "Threshold (least to largest)", "Sensitivity", "Specificity"),
                    *("Precision", "Balanced accuracy"),
                ),
                rows=tuple(
                    (
                        decision.outcome,
                        count(decision.cases),
                        Markup("{} ({} to {})").format(
                            *map(
                                number, (decision.threshold_mean, decision.threshold_least, decision.threshold_largest)
                            )
                        ),
                        *map(
                            estimate,
                            (
                                decision.sensitivity,
                                decision.specificity,
                                decision.precision,
                                decision.balanced_accuracy,
                            ),
                        ),
                    )
                    for decision in measures.decisions.at_thresholds
                ),
            ),
            _draw_benefit(measures),
            ReportTable(
                caption="Thresholds from .01 to .50 at which acting on the model has more net benefit than acting on "
                "everybody or on nobody, without regard to the interval.",
                head=("Outcome", "Cases", "Documents", "Thresholds with a gain", "Lowest", "Highest"),
                rows=tuple(
                    (
                        curve.outcome,
                        *map(count, (curve.cases, curve.documents, curve.useful_thresholds)),
                        number(min(curve.useful, default=None)),
                        number(max(curve.useful, default=None)),
                    )
                    for curve in measures.decisions.curves
                ),
            ),
        ),
    )


def _tabulate_confusion(measures: Measures) -> ReportTable:
    argmax = measures.decisions.argmax
    rows = tuple(
        (outcome, *map(count, counts), estimate(recall))
        for outcome, counts, recall in zip(argmax.outcomes, argmax.counts, argmax.recalls, strict=True)
    )
    accuracy = Markup("Decisions for the most probable outcome, summed over {} repeats. Balanced accuracy: {}.")
    return ReportTable(
        caption=accuracy.format(count(argmax.repeats), estimate(argmax.balanced_accuracy)),
        head=("Outcome", *(f"decided {outcome}" for outcome in argmax.outcomes), "Recall"),
        rows=rows,
    )


def _draw_confusion(measures: Measures) -> Figure:
    argmax = measures.decisions.argmax
    return Figure(
        name="confusion",
        caption=f"Confusion matrix: outcome (row) by decision (column), in per cent of the row, "
        f"{measures.counts.labelled} labelled documents, each in {argmax.repeats} repeats. All on the diagonal would "
        "be perfect. A dark first column means that outcomes are missed.",
        panels=(_draw_matrix(argmax),),
        wide=True,
    )


def _draw_matrix(argmax: ArgmaxDecisions) -> Markup:
    counts = np.array(argmax.counts, dtype=float)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    size = len(argmax.outcomes)

    def paint(axes: Axes) -> None:
        for row, column in np.ndindex(size, size):
            axes.add_patch(
                Rectangle((column, row), 1, 1, facecolor=SERIES[0], alpha=_DARKEST * shares[row, column], linewidth=0)
            )
            axes.text(
                *(column + 0.5, row + 0.5, write_percent(shares[row, column])),
                ha="center",
                va="center",
                color=INK,
            )
        axes.set(xlim=(0, size), ylim=(size, 0), xlabel="decided", ylabel="outcome")
        axes.set_xticks(np.arange(size) + 0.5, argmax.outcomes)
        axes.set_yticks(np.arange(size) + 0.5, argmax.outcomes)
        axes.grid(visible=False)

    said = "; ".join(
        f"of {outcome}, {write_percent(shares[place, place])} decided rightly"
        for place, outcome in enumerate(argmax.outcomes)
    )
    return draw(
        paint, name="confusion-matrix", alt=f"Confusion matrix: {said}", size=(1.2 + 0.85 * size, 0.7 + 0.5 * size)
    )


def _draw_benefit(measures: Measures) -> Figure:
    return Figure(
        name="decision-curves",
        caption=f"Decision curves: net benefit a document of acting on the model (line, with its interval over "
        f"resampled families), on everybody (dashed) and on nobody (0), {measures.counts.labelled} labelled documents. "
        "The threshold is the lowest risk at which one would act; it implies how many false alarms a true positive is "
        "worth. The model is useful where its line is above both others. The curves do not show what acting achieves.",
        panels=tuple(_draw_curve(index, curve) for index, curve in enumerate(measures.decisions.curves)),
    )


def _draw_curve(index: int, curve: BenefitCurve) -> Markup:
    thresholds = [point.threshold for point in curve.points]
    prevalence = curve.cases / curve.documents

    def paint(axes: Axes) -> None:
        axes.axhline(0, color=MUTED, linewidth=1)
        axes.plot(thresholds, [point.treat_all for point in curve.points], color=MUTED, linestyle="--", linewidth=1.1)
        known = [point for point in curve.points if point.model.low is not None and point.model.high is not None]
        axes.fill_between(
            [point.threshold for point in known],
            [point.model.low or 0.0 for point in known],
            [point.model.high or 0.0 for point in known],
            color=SERIES[index],
            alpha=0.2,
            linewidth=0,
        )
        axes.plot(thresholds, [point.model.value or 0.0 for point in curve.points], color=SERIES[index])
        axes.set(xlabel="threshold", ylabel="net benefit", ylim=(-0.2 * prevalence, 1.25 * prevalence))
        axes.set_title(f"{curve.outcome} ({curve.cases} cases)")

    alt = f"Decision curve of {curve.outcome}: a gain at {curve.useful_thresholds} of {len(curve.points)} thresholds"
    return draw(paint, name=f"benefit-{index}", alt=alt)
