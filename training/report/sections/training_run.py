"""The sections on training (loss curves) and on provenance (settings, versions, digests)."""

from __future__ import annotations

import json

from markupsafe import Markup
from matplotlib.axes import Axes
from pydantic import JsonValue

from training.evaluation.evidence import Evidence, LossCurve
from training.evaluation.measures import Measures
from training.report.content import Block, Figure, Paragraph, ReportTable, Section, Text
from training.report.drawing import SERIES, draw


def render_training(evidence: Evidence) -> Section:
    """Each loss term over the steps."""
    blocks: tuple[Block, ...] = (Paragraph(text="The terms of the loss were not recorded in this run."),)
    if evidence.loss_curves:
        blocks = (
            Figure(
                name="losses",
                caption="Each term of the loss over the steps of training: the mean over folds, and the band from the "
                "10th to the 90th percentile of folds, unweighted. A term that starts late or stays at 0 was switched "
                "off at the time. These are training documents: falling terms do not show that a model is good.",
                panels=tuple(_draw_term(place, curve) for place, curve in enumerate(evidence.loss_curves)),
            ),
        )
    return Section(name="training", title="Training", blocks=blocks)


def render_provenance(measures: Measures) -> Section:
    """The description of the run and the settings of the measures."""
    return Section(
        name="making",
        title="Provenance",
        blocks=(
            ReportTable(
                caption="Description of the run.",
                head=("What", "Value"),
                rows=tuple((name, _write(value)) for name, value in measures.about.items()),
            ),
            ReportTable(
                caption="Settings of the measures. Intervals are percentiles over resampled families, the same "
                "resamples for every number.",
                head=("What", "Value"),
                rows=tuple((name, _write(value)) for name, value in measures.settings.model_dump(mode="json").items()),
            ),
        ),
    )


def _write(value: JsonValue) -> Text:
    if isinstance(value, str):
        return value
    if isinstance(value, dict | list):
        return Markup("<pre>{}</pre>").format(json.dumps(value, indent=1, ensure_ascii=False))
    return json.dumps(value)


def _draw_term(place: int, term: LossCurve) -> Markup:
    colour = SERIES[place]

    def paint(axes: Axes) -> None:
        axes.fill_between(term.steps, term.low, term.high, color=colour, alpha=0.2, linewidth=0)
        axes.plot(term.steps, term.mean, color=colour)
        axes.set(xlabel="step")
        axes.set_title(term.name.replace("_", " "))

    first, last = float(term.mean[0]), float(term.mean[-1])
    alt = f"{term.name.replace('_', ' ')} over training: from {first:.3g} to {last:.3g}"
    return draw(paint, name=f"loss-{place}", alt=alt, size=(2.8, 2.2))
