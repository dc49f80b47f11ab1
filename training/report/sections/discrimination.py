"""The section on discrimination: ROC and precision-recall curves of every repeat, areas with intervals."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float
from markupsafe import Markup
from matplotlib.axes import Axes
from sklearn.metrics import precision_recall_curve, roc_curve

from training.evaluation.discrimination import OutcomeDiscrimination
from training.evaluation.evidence import Evidence
from training.evaluation.measures import Measures
from training.evaluation.number_format import write_interval
from training.report.content import Block, Figure, Paragraph, ReportTable, Section, count, estimate, number
from training.report.drawing import INK, MUTED, SERIES, draw


def render_discrimination(evidence: Evidence, measures: Measures) -> Section:
    """The areas as a table and the curves as figures."""
    discrimination = measures.discrimination
    folds = discrimination.folds
    return Section(
        name="discrimination",
        title="Discrimination",
        blocks=(
            Paragraph(
                text=Markup(
                    "Macro AUROC, the mean over outcomes of one against the rest: <strong>{}</strong>. It is the mean "
                    "over {} repeats of the pooled predictions of a repeat. The mean over folds is {} with a standard "
                    "deviation of {}, in {} of {} folds in which every outcome could be measured. The deviation is "
                    "not a standard error, because folds share most of their training documents."
                ).format(
                    estimate(discrimination.macro_auroc),
                    count(measures.counts.repeats),
                    number(folds.mean),
                    number(folds.spread),
                    count(folds.defined_folds),
                    count(folds.folds),
                )
            ),
            ReportTable(
                caption=f"Each outcome against the rest, with {_level(measures)} % intervals over resampled families.",
                head=("Outcome", "Cases", "Others", "AUROC (chance .50)", "Average precision", "Prevalence (chance)"),
                rows=tuple(
                    (
                        outcome.outcome,
                        count(outcome.cases),
                        count(outcome.others),
                        estimate(outcome.auroc),
                        estimate(outcome.average_precision),
                        number(outcome.prevalence),
                    )
                    for outcome in discrimination.by_outcome
                ),
            ),
            *_draw_curves(evidence, measures),
        ),
    )


def _level(measures: Measures) -> str:
    return f"{100 * measures.settings.bootstrap.level:g}"


def _draw_curves(evidence: Evidence, measures: Measures) -> tuple[Block, ...]:
    predictions = evidence.arms[0].predictions
    known = predictions.labels >= 0
    repeats = len(predictions.probabilities)
    sides = [predictions.labels[known] == index for index in range(len(evidence.outcomes))]
    measurable = [
        (index, outcome)
        for index, outcome in enumerate(measures.discrimination.by_outcome)
        if outcome.cases and outcome.others
    ]
    rocs = tuple(
        _draw_roc(index, outcome, sides[index], predictions.probabilities[:, known, index])
        for index, outcome in measurable
    )
    precisions = tuple(
        _draw_precision(index, outcome, sides[index], predictions.probabilities[:, known, index])
        for index, outcome in measurable
    )
    of = f"{measures.counts.labelled} labelled documents, one line for each of {repeats} repeats"
    return (
        Figure(
            name="roc",
            caption=f"ROC curves of each outcome against the rest; {of}. A line along the upper left corner finds "
            "every case without false alarms; the dashed diagonal is chance. The spread of the lines shows how much "
            "the result depends on the split into folds, not how much it would differ in another cohort.",
            panels=rocs,
        ),
        Figure(
            name="precision-recall",
            caption=f"Precision and recall of each outcome against the rest; {of}. Precision is the share of true "
            "cases among those flagged, recall the share of cases that are flagged. The dashed line is the prevalence, "
            "the precision of flagging at random: for a rare outcome even a good curve may lie low.",
            panels=precisions,
        ),
    )


def _draw_roc(
    index: int,
    outcome: OutcomeDiscrimination,
    is_case: Bool[np.ndarray, " document"],
    risks: Float[np.ndarray, "repeat document"],
) -> Markup:
    def paint(axes: Axes) -> None:
        axes.plot([0, 1], [0, 1], color=MUTED, linestyle="--", linewidth=1)
        for repeat in risks:
            false_alarms, sensitivity, _ = roc_curve(is_case, repeat)
            axes.plot(false_alarms, sensitivity, color=SERIES[index], alpha=0.65, linewidth=1.1)
        axes.set(xlabel="1 - specificity", ylabel="sensitivity", xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
        axes.set_title(f"{outcome.outcome} ({outcome.cases} cases)")
        axes.text(0.98, 0.04, f"AUROC {write_interval(outcome.auroc)}", ha="right", color=INK, fontsize=8)

    counts = f"{outcome.cases} cases against {outcome.others}"
    alt = f"ROC curve of {outcome.outcome}, {counts}: AUROC {write_interval(outcome.auroc)}"
    return draw(paint, name=f"roc-{index}", alt=alt)


def _draw_precision(
    index: int,
    outcome: OutcomeDiscrimination,
    is_case: Bool[np.ndarray, " document"],
    risks: Float[np.ndarray, "repeat document"],
) -> Markup:
    def paint(axes: Axes) -> None:
        axes.axhline(outcome.prevalence, color=MUTED, linestyle="--", linewidth=1)
        for repeat in risks:
            precision, recall, _ = precision_recall_curve(is_case, repeat)
            axes.step(recall, precision, where="post", color=SERIES[index], alpha=0.65, linewidth=1.1)
        axes.set(xlabel="recall", ylabel="precision", xlim=(-0.02, 1.02), ylim=(-0.02, 1.05))
        axes.set_title(f"{outcome.outcome} ({outcome.cases} cases)")

    alt = (
        f"Precision-recall curve of {outcome.outcome}: average precision {write_interval(outcome.average_precision)}, "
        f"prevalence {outcome.prevalence:.2f}"
    )
    return draw(paint, name=f"precision-{index}", alt=alt)
