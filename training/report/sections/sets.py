"""The section on conformal sets: coverage by outcome and size."""

from __future__ import annotations

from markupsafe import Markup
from matplotlib.axes import Axes

from training.evaluation.conformal.cross_conformal import SetMeasures
from training.evaluation.measures import Measures
from training.evaluation.number_format import write_interval
from training.report.content import Block, Figure, Paragraph, ReportTable, Section, count, estimate, percent
from training.report.drawing import MARKERS, MUTED, SERIES, draw


def render_sets(measures: Measures) -> Section:
    """Coverage against the guarantee; a kind of set with too few calibration cases is withheld, with the reason."""
    conformal = measures.conformal
    kinds = tuple(
        (name, sets)
        for name, sets in (("marginal", conformal.marginal), ("class-conditional", conformal.class_conditional))
        if sets is not None
    )
    tables = tuple(_tabulate(name, sets) for name, sets in kinds)
    return Section(
        name="sets",
        title="Conformal sets",
        blocks=(
            Paragraph(
                text=Markup(
                    "A conformal set holds all outcomes that are probable enough, so that the right one is missed "
                    "in at most {} of documents. Marginal sets guarantee this on average over all documents and may "
                    "fail a rare outcome; class-conditional sets guarantee it for each outcome and are larger. The "
                    "sets of a fold are calibrated on the other folds of its repeat. Those come from other networks, "
                    "so the guarantee is approximate, and coverage is measured."
                ).format(percent(conformal.alpha))
            ),
            *(Paragraph(text=reason) for reason in conformal.withheld),
            *((_draw(measures, kinds),) if kinds else ()),
            *tables,
        ),
    )


def _tabulate(name: str, sets: SetMeasures) -> Block:
    sizes = Markup(", ").join(
        Markup("{} {}").format(f"{size} outcome{'s' * (size > 1)}" if size else "empty", percent(share))
        for size, share in enumerate(sets.sizes)
    )
    calibration = dict(
        zip([outcome.outcome for outcome in sets.by_outcome], sets.fewest_calibration_cases, strict=True)
    )
    return ReportTable(
        caption=Markup("{} sets, nominal coverage {}. Number of outcomes in a set: {}.").format(
            name.capitalize(), percent(sets.promised), sizes
        ),
        head=("Outcome", "Cases", "Coverage", "Mean size", "Fewest calibration cases"),
        rows=tuple(
            (
                outcome.outcome,
                count(outcome.cases),
                estimate(outcome.coverage),
                estimate(outcome.size),
                count(calibration[outcome.outcome]) if outcome.outcome in calibration else "",
            )
            for outcome in (sets.overall, *sets.by_outcome)
        ),
    )


def _draw(measures: Measures, kinds: tuple[tuple[str, SetMeasures], ...]) -> Figure:
    promised = kinds[0][1].promised

    def paint(axes: Axes) -> None:
        axes.axvline(promised, color=MUTED, linestyle="--", linewidth=1)
        for kind, (name, sets) in enumerate(kinds):
            for place, outcome in enumerate((sets.overall, *sets.by_outcome)):
                height, covered = place + 0.24 * kind - 0.12, outcome.coverage
                if covered.value is None:
                    continue
                if covered.low is not None and covered.high is not None:
                    axes.plot([covered.low, covered.high], [height, height], color=SERIES[kind], linewidth=1.8)
                label = name if place == 0 else None
                axes.plot(covered.value, height, MARKERS[kind], color=SERIES[kind], markersize=5, label=label)
        names = ["all", *measures.outcomes]
        axes.set_yticks(range(len(names)), names)
        axes.set_ylim(len(names) - 0.5, -0.5)
        axes.grid(axis="y", visible=False)
        axes.set_xlabel("share of sets that hold the right outcome")
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, 1.16), ncols=2)

    summary = "; ".join(f"{name} {write_interval(sets.overall.coverage)}" for name, sets in kinds)
    size = (5.6, 1.3 + 0.4 * len(measures.outcomes))
    return Figure(
        name="coverage",
        caption=f"Coverage over all {measures.counts.labelled} labelled documents and of each outcome's cases, with "
        "intervals over resampled families. The dashed line is the nominal coverage. An outcome whose interval lies "
        "left of it is missed more often than intended.",
        panels=(draw(paint, name="conformal-coverage", alt=f"Coverage of conformal sets: {summary}", size=size),),
        wide=True,
    )
