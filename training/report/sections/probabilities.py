"""Whether a risk of 20 % comes true in 20 of 100, and what the temperature did about it."""

from __future__ import annotations

from markupsafe import Markup
from matplotlib.axes import Axes

from training.evaluation.calibration.risk_quality import ExpectedCalibrationError, OutcomeCalibration
from training.evaluation.measures import Measures
from training.evaluation.number_format import write_number
from training.report.content import Figure, Paragraph, Section, Table, Text, count, estimate, number
from training.report.drawing import MARKERS, MUTED, SERIES, draw


def tell_probabilities(measures: Measures) -> Section:
    """Scores beside those of the prevalence, calibration of each outcome, the calibration error beside its null."""
    risks = measures.risks
    return Section(
        name="probabilities",
        title="The risks as probabilities",
        blocks=(
            Table(
                caption="Proper scores, lower is better, beside those of always saying the prevalence of these "
                "documents. Skill is the share of the prevalence's Brier score that was saved.",
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
            Table(
                caption="Calibration of each outcome. Slope 1 and intercept 0 are perfect; a slope below 1 means risks "
                "that are too extreme, an intercept above 0 risks that are too low overall.",
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
                rows=tuple(map(_tell_outcome, risks.by_outcome)),
            ),
            _tell_temperature(measures),
            Table(
                caption=f"Expected calibration error of the likeliest outcome's risk, mean over repeats, "
                f"{risks.error.bins} bins. It is never 0: the null is what perfectly calibrated risks of the same "
                f"size show, from {risks.error.simulations} simulations a repeat.",
                head=("Risks", "Error", "Null: mean", "Null: 95th percentile", "Share of the null this large"),
                rows=(
                    ("At temperature 1", *_tell_error(risks.temperature.error_before)),
                    ("Calibrated", *_tell_error(risks.error)),
                ),
            ),
        ),
    )


def _tell_outcome(one: OutcomeCalibration) -> tuple[Text, ...]:
    return (
        one.outcome,
        count(one.cases),
        number(one.mean_risk, 3),
        number(one.prevalence, 3),
        estimate(one.slope),
        estimate(one.intercept),
        number(one.brier, 3),
        number(one.brier_of_prevalence, 3),
    )


def _tell_temperature(measures: Measures) -> Paragraph:
    found = measures.risks.temperature
    return Paragraph(
        text=Markup(
            "The temperature was fitted on the inner folds: {} on average over {} folds, from {} to {} (above 1 makes "
            "risks less extreme). At temperature 1 the log loss is {}; the temperature saved {} of it."
        ).format(
            number(found.mean),
            count(found.folds),
            number(found.least),
            number(found.largest),
            estimate(found.log_loss_before),
            estimate(found.log_loss_saved, 3),
        )
    )


def _tell_error(error: ExpectedCalibrationError) -> tuple[Text, ...]:
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
        f"{measures.counts.repeats} repeats cut into up to {bins} bins of about equal count. A point is a bin's mean "
        "risk and the share of cases in it, the bar its interval over resampled families. On the dashed diagonal risks "
        "mean what they say; below it they are too high, above it too low.",
        panels=tuple(_draw_bins(index, one) for index, one in enumerate(measures.risks.by_outcome)),
    )


def _draw_bins(index: int, one: OutcomeCalibration) -> Markup:
    def paint(axes: Axes) -> None:
        tops = [point.observed.high for point in one.reliability if point.observed.high is not None]
        end = min(1.0, max([0.1, *tops, *(point.mean_risk for point in one.reliability)]) * 1.04)
        axes.plot([0, end], [0, end], color=MUTED, linestyle="--", linewidth=1)
        for point in one.reliability:
            seen = point.observed
            if seen.value is None:
                continue
            if seen.low is not None and seen.high is not None:
                axes.plot([point.mean_risk] * 2, [seen.low, seen.high], color=SERIES[index], alpha=0.6)
            axes.plot(point.mean_risk, seen.value, MARKERS[index], color=SERIES[index], markersize=4.5)
        axes.set(xlabel="mean risk", ylabel="share of cases", xlim=(-0.02 * end, end), ylim=(-0.02 * end, end))
        axes.set_title(f"{one.outcome} ({one.cases} cases)")

    alt = (
        f"Reliability of {one.outcome}: slope {write_number(one.slope.value)}, "
        f"intercept {write_number(one.intercept.value)}, {len(one.reliability)} bins"
    )
    return draw(paint, name=f"reliability-{index}", alt=alt)
