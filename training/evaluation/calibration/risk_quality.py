"""The quality of risks as probabilities: log loss, Brier score, calibration, and the effect of the temperature."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from jaxtyping import Bool, Float, Int
from pydantic import Field

from model.config import FrozenSettings
from training.evaluation.bootstrap import BootstrapSettings, Interval, family_interval, family_shares, paired_difference
from training.evaluation.calibration.reliability import bins_of, calibration_error, top_risks
from training.evaluation.calibration.slope import intercept_of, slope_of
from training.evaluation.evidence import ArmEvidence
from training.evaluation.metrics import brier
from training.evaluation.out_of_fold import OutOfFoldPredictions, brier_of, log_loss_of, over_repeats


class CalibrationSettings(FrozenSettings):
    """Bins and simulations of the calibration measures."""

    bins: int = Field(default=10, ge=2, description="of about equal count, for all outcomes and the calibration error")
    simulations: int = Field(default=1000, ge=100, description="of the calibration error's null")
    seed: int = 1


class ReliabilityBin(FrozenSettings):
    """A bin of a reliability diagram, over all repeats: the mean risk and the share of cases.

    `risks` counts predictions: a document has one per repeat. The interval resamples families.
    """

    risks: int
    mean_risk: float
    observed: Interval


class OutcomeCalibration(FrozenSettings):
    """Calibration of one outcome. Slope 1 and intercept 0 are perfect; a slope below 1 means too extreme risks."""

    outcome: str
    cases: int
    others: int
    mean_risk: float
    prevalence: float
    slope: Interval
    intercept: Interval
    brier: float
    brier_of_prevalence: float
    reliability: tuple[ReliabilityBin, ...]


class ExpectedCalibrationError(FrozenSettings):
    """Expected calibration error of the most probable outcome, mean over repeats, with its null distribution.

    `p_values` holds one value per repeat: the share of simulations with at least this error.
    """

    value: float
    null_mean: float
    null_high: float
    p_values: tuple[float, ...]
    bins: int
    simulations: int


class TemperatureMeasures(FrozenSettings):
    """The temperatures of the folds; `log_loss_saved` is the log loss at temperature 1 minus the calibrated one."""

    mean: float
    least: float
    largest: float
    folds: int
    log_loss_before: Interval
    log_loss_saved: Interval
    error_before: ExpectedCalibrationError


class RiskQuality(FrozenSettings):
    """Log loss in nats and Brier score (0 to 2), with those of a constant prediction of the prevalence."""

    log_loss: Interval
    log_loss_of_prevalence: float
    brier: Interval
    brier_of_prevalence: float
    brier_skill: Interval
    error: ExpectedCalibrationError
    by_outcome: tuple[OutcomeCalibration, ...]
    temperature: TemperatureMeasures


def measure_risks(arm: ArmEvidence, settings: CalibrationSettings, bootstrap: BootstrapSettings) -> RiskQuality:
    """The quality of the calibrated and the uncalibrated risks of an arm. See docs/method.md (E8)."""
    predictions = arm.predictions
    shares = _shares(predictions)
    # An outcome that does not occur adds nothing to the entropy, but its logarithm is infinite.
    present = shares[shares > 0]
    return RiskQuality(
        log_loss=family_interval(log_loss_of(predictions), predictions.families, bootstrap),
        log_loss_of_prevalence=float(-(present * np.log(present)).sum()),
        brier=family_interval(brier_of(predictions), predictions.families, bootstrap),
        brier_of_prevalence=float((shares * (1 - shares)).sum()),
        brier_skill=family_interval(
            over_repeats(predictions, lambda risks, labels: brier(risks, labels, predictions.outcomes).skill),
            predictions.families,
            bootstrap,
        ),
        error=_calibration_error(predictions, settings),
        by_outcome=tuple(
            _calibration_of(predictions, index, settings, bootstrap) for index in range(len(predictions.outcomes))
        ),
        temperature=_temperature(arm, settings, bootstrap),
    )


def _shares(predictions: OutOfFoldPredictions) -> Float[np.ndarray, " outcome"]:
    labels = predictions.labels[predictions.labels >= 0]
    return np.asarray(np.bincount(labels, minlength=len(predictions.outcomes)) / max(len(labels), 1))


def _calibration_of(
    predictions: OutOfFoldPredictions, index: int, settings: CalibrationSettings, bootstrap: BootstrapSettings
) -> OutcomeCalibration:
    known = predictions.labels >= 0
    risks, is_case = predictions.probabilities[:, known, index], predictions.labels[known] == index
    prevalence = float(is_case.mean())
    families = [name for name, use in zip(predictions.families, known.tolist(), strict=True) if use]
    return OutcomeCalibration(
        outcome=predictions.outcomes[index],
        cases=int(is_case.sum()),
        others=int((~is_case).sum()),
        mean_risk=float(risks.mean()),
        prevalence=prevalence,
        slope=family_interval(slope_of(predictions, index), predictions.families, bootstrap),
        intercept=family_interval(intercept_of(predictions, index), predictions.families, bootstrap),
        brier=float(((risks - is_case) ** 2).mean()),
        brier_of_prevalence=prevalence * (1 - prevalence),
        reliability=_reliability(risks, is_case, families, settings.bins, bootstrap),
    )


def _reliability(
    risks: Float[np.ndarray, "repeat document"],
    is_case: Bool[np.ndarray, " document"],
    families: list[str],
    bins: int,
    bootstrap: BootstrapSettings,
) -> tuple[ReliabilityBin, ...]:
    """Bins over all repeats; a document counts in a bin as often as its risks fall into it."""
    bin_of: Int[np.ndarray, "repeat document"] = bins_of(risks.ravel(), bins).reshape(risks.shape)
    members = np.stack([bin_of == number for number in np.unique(bin_of)])
    counted = members.sum(axis=1).T.astype(np.float64)
    observed = family_shares(counted * is_case[:, None], counted, families, bootstrap)
    return tuple(
        ReliabilityBin(risks=int(within.sum()), mean_risk=float(risks[within].mean()), observed=interval)
        for within, interval in zip(members, observed, strict=True)
    )


def _calibration_error(predictions: OutOfFoldPredictions, settings: CalibrationSettings) -> ExpectedCalibrationError:
    errors = [
        calibration_error(
            *top_risks(probabilities, predictions.labels),
            bins=settings.bins,
            simulations=settings.simulations,
            seed=settings.seed + repeat,
        )
        for repeat, probabilities in enumerate(predictions.probabilities)
    ]
    return ExpectedCalibrationError(
        value=float(np.mean([error.value for error in errors])),
        null_mean=float(np.mean([error.null_mean for error in errors])),
        null_high=float(np.mean([error.null_high for error in errors])),
        p_values=tuple(error.p_value for error in errors),
        bins=settings.bins,
        simulations=settings.simulations,
    )


def _temperature(arm: ArmEvidence, settings: CalibrationSettings, bootstrap: BootstrapSettings) -> TemperatureMeasures:
    before = replace(arm.predictions, probabilities=arm.uncalibrated)
    saved = paired_difference(log_loss_of(before), log_loss_of(arm.predictions), arm.predictions.families, bootstrap)
    return TemperatureMeasures(
        mean=float(arm.temperatures.mean()),
        least=float(arm.temperatures.min()),
        largest=float(arm.temperatures.max()),
        folds=int(arm.temperatures.size),
        log_loss_before=family_interval(log_loss_of(before), arm.predictions.families, bootstrap),
        log_loss_saved=saved.interval,
        error_before=_calibration_error(before, settings),
    )
