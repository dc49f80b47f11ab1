"""The section on risks as probabilities: proper scores, calibration, and the effect of the temperature."""

from __future__ import annotations

from markupsafe import Markup
from matplotlib.axes import Axes

from training.evaluation.calibration.risk_quality import ExpectedCalibrationError, OutcomeCalibration
from training.evaluation.measures import Measures
from training.evaluation.number_format import write_number
from training.report.content import Figure, Paragraph, ReportTable, Section, Text, count, estimate, number
from training.report.drawing import MARKERS, MUTED, SERIES, draw


def render_probabilities(measures: Measures) -> Section:
    """Proper scores, calibration of each outcome, and the calibration error with its null distribution."""
    risks = measures.risks
    return Section(
        name="probabilities",
        title="The risks as probabilities",
        blocks=(
            ReportTable(
                caption="Proper scores, lower is better, with those of a constant prediction of the prevalence. "
                "Skill is the relative reduction of the Brier score.",
                head=("Score", "Value", "Of the prevalence", "Skill"),
                rows=(
                    ("Log loss (nats)", estimate(risks.log_loss), number(risks.log_loss_of_prevalence), ""),
                    (
                        "Brier score (0 to 2)",
                        estimate(risks.brier),
                        number(risks.brier_of_prevalence),
                        estimate(risks.brier_skill),
                    ),
                ),
            ),
            _draw_reliability(measures),
            ReportTable(
                caption="Calibration of each outcome. Slope 1 and intercept 0 are perfect. A slope below 1 means "
                "that risks are too extreme; an intercept above 0 means that they are too low overall.",
                head=(
                    "Outcome",
                    "Cases",
                    "Mean risk",
                    "Prevalence",
                    "Slope",
                    "Intercept",
                    "Brier",
                    "Of the prevalence",
                ),
                rows=tuple(map(_outcome_row, risks.by_outcome)),
            ),
            _temperature_paragraph(measures),
            ReportTable(
                caption=f"Expected calibration error of the most probable outcome, mean over repeats, "
                f"{risks.error.bins} bins. It is never 0: the null is the error of perfectly calibrated risks for as "
                f"many documents, from {risks.error.simulations} simulations per repeat.",
                head=("Risks", "Error", "Null: mean", "Null: 95th percentile", "Share of the null this large"),
                rows=(
                    ("At temperature 1", *_error_cells(risks.temperature.error_before)),
                    ("Calibrated", *_error_cells(risks.error)),
                ),
            ),
        ),
    )


def _outcome_row(outcome: OutcomeCalibration) -> tuple[Text, ...]:
    return (
        outcome.outcome,
        count(outcome.cases),
        number(outcome.mean_risk, 3),
        number(outcome.prevalence, 3),
        estimate(outcome.slope),
        estimate(outcome.intercept),
        number(outcome.brier, 3),
        number(outcome.brier_of_prevalence, 3),
    )


def _temperature_paragraph(measures: Measures) -> Paragraph:
    temperature = measures.risks.temperature
    return Paragraph(
        text=Markup(
            "The temperature was fitted on the inner folds: {} on average over {} folds, from {} to {} (a value "
            "above 1 makes risks less extreme). At temperature 1 the log loss is {}; the temperature reduced it by "
            "{}."
        ).format(
            number(temperature.mean),
            count(temperature.folds),
            number(temperature.least),
            number(temperature.largest),
            estimate(temperature.log_loss_before),
            estimate(temperature.log_loss_saved, 3),
        )
    )


def _error_cells(error: ExpectedCalibrationError) -> tuple[Text, ...]:
    least, largest = min(error.p_values), max(error.p_values)
    return (
        number(error.value, 3),
        number(error.null_mean, 3),
        number(error.null_high, 3),
        Markup("{} to {}").format(number(least, 3), number(largest, 3)),
    )


def _draw_reliability(measures: Measures) -> Figure:
    bins = measures.settings.calibration.bins
    return Figure(
        name="reliability",
        caption=f"Reliability of each outcome's risk: {measures.counts.labelled} labelled documents, their risks of "
        f"{measures.counts.repeats} repeats cut into up to {bins} bins of about equal count. A point shows the mean "
        "risk of a bin and its share of cases, the bar the interval over resampled families. On the dashed diagonal "
        "risks are calibrated; below it they are too high, above it too low.",
        panels=tuple(_draw_bins(index, outcome) for index, outcome in enumerate(measures.risks.by_outcome)),
    )


def _draw_bins(index: int, outcome: OutcomeCalibration) -> Markup:
    def paint(axes: Axes) -> None:
        tops = [point.observed.high for point in outcome.reliability if point.observed.high is not None]
        end = min(1.0, max([0.1, *tops, *(point.mean_risk for point in outcome.reliability)]) * 1.04)
        axes.plot([0, end], [0, end], color=MUTED, linestyle="--", linewidth=1)
        for point in outcome.reliability:
            observed = point.observed
            if observed.value is None:
                continue
            if observed.low is not None and observed.high is not None:
                axes.plot([point.mean_risk] * 2, [observed.low, observed.high], color=SERIES[index], alpha=0.6)
            axes.plot(point.mean_risk, observed.value, MARKERS[index], color=SERIES[index], markersize=4.5)
        axes.set(xlabel="mean risk", ylabel="share of cases", xlim=(-0.02 * end, end), ylim=(-0.02 * end, end))
        axes.set_title(f"{outcome.outcome} ({outcome.cases} cases)")

    alt = (
        f"Reliability of {outcome.outcome}: slope {write_number(outcome.slope.value)}, "
        f"intercept {write_number(outcome.intercept.value)}, {len(outcome.reliability)} bins"
    )
    return draw(paint, name=f"reliability-{index}", alt=alt)
