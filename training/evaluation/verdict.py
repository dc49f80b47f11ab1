"""The verdict of an evaluation in sentences, generated from the measures."""

from __future__ import annotations

from training.evaluation.calibration.risk_quality import RiskQuality
from training.evaluation.comparison import COVARIATES, ArmComparison, ModelComparison
from training.evaluation.discrimination import Discrimination
from training.evaluation.number_format import write_interval, write_number

_ANSWERS = {"better": "yes", "worse": "no, it is worse", "neither": "not shown"}


def write_verdict(
    discrimination: Discrimination, risks: RiskQuality, line_up: ModelComparison, rarest: tuple[str, int]
) -> tuple[str, ...]:
    """One sentence each on discrimination, comparisons, probabilities and sample size."""
    return (
        _discrimination(line_up.arms[0].title, discrimination),
        _comparisons(line_up.comparisons),
        _probabilities(risks),
        f"The rarest outcome, {rarest[0]}, has {rarest[1]} cases: no number about it is firmer than that.",
    )


def _discrimination(title: str, discrimination: Discrimination) -> str:
    interval = discrimination.macro_auroc
    if interval.value is None:
        return f"{title}'s macro AUROC is undefined: an outcome has no case."
    if interval.low is None:
        return f"{title}'s macro AUROC is {write_number(interval.value)}, without an interval: too few families."
    beyond = "above chance" if interval.low > 0.5 else "not shown to be above chance"  # noqa: PLR2004 - chance
    return f"{title}'s macro AUROC is {write_interval(interval)}, {beyond} (.50)."


def _comparisons(comparisons: tuple[ArmComparison, ...]) -> str:
    """The comparison with the covariates comes first, because a model must beat them."""
    ordered = sorted(comparisons, key=lambda comparison: comparison.name != COVARIATES)
    answers = [
        f"than {_name(other)}: {_ANSWERS[other.shown]} (difference {write_interval(other.macro_auroc, 3)})"
        for other in ordered
    ]
    return f"Better {'; '.join(answers)}." if answers else "It was compared with nothing."


def _name(comparison: ArmComparison) -> str:
    if comparison.name == COVARIATES:
        return "the covariates alone"
    return comparison.title[:1].lower() + comparison.title[1:]


def _probabilities(risks: RiskQuality) -> str:
    loss, reference = risks.log_loss, risks.log_loss_of_prevalence
    if loss.value is None:
        return "Log loss is undefined."
    high = loss.high if loss.high is not None else loss.value
    says = "better than" if high < reference else "not shown to be better than"
    error = risks.error
    calibrated = "more than" if error.value > error.null_high else "no more than"
    return (
        f"As probabilities the risks are {says} always saying the prevalence "
        f"(log loss {write_interval(loss)} against {write_number(reference)} nats); "
        f"their calibration error, {write_number(error.value, 3)}, is {calibrated} perfectly calibrated risks may show "
        f"(up to {write_number(error.null_high, 3)})."
    )
