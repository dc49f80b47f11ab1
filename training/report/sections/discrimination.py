"""How well the risks tell outcomes apart: ROC and precision-recall curves of every repeat, areas with intervals."""

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
from training.report.content import Block, Figure, Paragraph, Section, Table, count, estimate, number
from training.report.drawing import INK, MUTED, SERIES, draw


def tell_discrimination(evidence: Evidence, measures: Measures) -> Section:
    """Areas in a table, curves in figures."""
    found = measures.discrimination
    folds = found.folds
    return Section(
        name="discrimination",
        title="Telling outcomes apart",
        blocks=(
            Paragraph(
                text=Markup(
                    "Macro AUROC, the mean over outcomes of one against the rest: <strong>{}</strong>. It is the mean "
                    "over {} repeats of a repeat's pooled predictions. Fold by fold the mean is {} with a standard "
                    "deviation of {}, over {} of {} folds in which every outcome could be measured; the deviation is "
                    "no standard error, for folds share most of their training documents."
                ).format(
                    estimate(found.macro_auroc),
                    count(measures.counts.repeats),
                    number(folds.mean),
                    number(folds.spread),
                    count(folds.defined_folds),
                    count(folds.folds),
                )
            ),
            Table(
                caption=f"Each outcome against the rest, with {_level(measures)} % intervals over resampled families.",
                head=("Outcome", "Cases", "Others", "AUROC (chance .50)", "Average precision", "Prevalence (chance)"),
                rows=tuple(
                    (
                        one.outcome,
                        count(one.cases),
                        count(one.others),
                        estimate(one.auroc),
                        estimate(one.average_precision),
                        number(one.prevalence),
                    )
                    for one in found.by_outcome
                ),
            ),
            *_draw_curves(evidence, measures),
        ),
    )


def _level(measures: Measures) -> str:
    return f"{100 * measures.settings.bootstrap.level:g}"


def _draw_curves(evidence: Evidence, measures: Measures) -> tuple[Block, ...]:
    found = evidence.arms[0].found
    known = found.labels >= 0
    repeats = len(found.probabilities)
    sides = [found.labels[known] == index for index in range(len(evidence.outcomes))]
    measurable = [
        (index, one) for index, one in enumerate(measures.discrimination.by_outcome) if one.cases and one.others
    ]
    rocs = tuple(_draw_roc(index, one, sides[index], found.probabilities[:, known, index]) for index, one in measurable)
    precisions = tuple(
        _draw_precision(index, one, sides[index], found.probabilities[:, known, index]) for index, one in measurable
    )
    of = f"{measures.counts.labelled} labelled documents, one line for each of {repeats} repeats"
    return (
        Figure(
            name="roc",
            caption=f"ROC curves of each outcome against the rest; {of}. A line along the upper left corner finds "
            "every case without false alarms, one along the dashed diagonal guesses. The lines' spread shows how far "
            "the result depends on how families were dealt, not how far it would differ in another cohort.",
            panels=rocs,
        ),
        Figure(
            name="precision-recall",
            caption=f"Precision and recall of each outcome against the rest; {of}. Precision is the share of true "
            "cases among those flagged, recall the share of cases that are flagged. The dashed line is the prevalence, "
            "which flagging at random attains: for a rare outcome even a good curve may lie low.",
            panels=precisions,
        ),
    )


def _draw_roc(
    index: int,
    one: OutcomeDiscrimination,
    is_case: Bool[np.ndarray, " document"],
    risks: Float[np.ndarray, "repeat document"],
) -> Markup:
    def paint(axes: Axes) -> None:
        axes.plot([0, 1], [0, 1], color=MUTED, linestyle="--", linewidth=1)
        for repeat in risks:
            false_alarms, found, _ = roc_curve(is_case, repeat)
            axes.plot(false_alarms, found, color=SERIES[index], alpha=0.65, linewidth=1.1)
        axes.set(xlabel="1 - specificity", ylabel="sensitivity", xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
        axes.set_title(f"{one.outcome} ({one.cases} cases)")
        axes.text(0.98, 0.04, f"AUROC {write_interval(one.auroc)}", ha="right", color=INK, fontsize=8)

    alt = f"ROC curve of {one.outcome}, {one.cases} cases against {one.others}: AUROC {write_interval(one.auroc)}"
    return draw(paint, name=f"roc-{index}", alt=alt)


def _draw_precision(
    index: int,
    one: OutcomeDiscrimination,
    is_case: Bool[np.ndarray, " document"],
    risks: Float[np.ndarray, "repeat document"],
) -> Markup:
    def paint(axes: Axes) -> None:
        axes.axhline(one.prevalence, color=MUTED, linestyle="--", linewidth=1)
        for repeat in risks:
            precision, recall, _ = precision_recall_curve(is_case, repeat)
            axes.step(recall, precision, where="post", color=SERIES[index], alpha=0.65, linewidth=1.1)
        axes.set(xlabel="recall", ylabel="precision", xlim=(-0.02, 1.02), ylim=(-0.02, 1.05))
        axes.set_title(f"{one.outcome} ({one.cases} cases)")

    alt = (
        f"Precision-recall curve of {one.outcome}: average precision {write_interval(one.average_precision)}, "
        f"prevalence {one.prevalence:.2f}"
    )
    return draw(paint, name=f"precision-{index}", alt=alt)
