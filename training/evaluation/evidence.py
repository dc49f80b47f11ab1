"""All that a cross-validated run leaves to be measured and reported: predictions and what stands behind them.

Rows follow two orders. Arrays of the cohort (`Evidence.labels`, `families`, `covariates`, the folds' row indices) have
one entry for each document of the cohort; arrays by ` document` inside an arm, and everything aligned with it, have
one for each of `arms[0].found.rows`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from pydantic import JsonValue

from training.evaluation.baseline import Covariates
from training.evaluation.out_of_fold import OutOfFoldPredictions
from training.folds.nested import OuterFold


class EvidenceError(ValueError):
    """Parts of a run's evidence do not belong together; the message says which."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmEvidence:
    """One model of the line-up, tuned and tested on the same folds as the others.

    `found` holds risks calibrated by the inner folds' temperature, `uncalibrated` the same at temperature 1. The
    thresholds were chosen on inner folds. `candidates` counts the settings tried, which is the tuning budget, and
    `chosen` names the one taken in each fold, in the order of `Evidence.folds`. `seconds` is the time it took in all.
    """

    name: str
    title: str
    predictions: OutOfFoldPredictions
    thresholds: Float[np.ndarray, "repeat fold outcome"]
    temperatures: Float[np.ndarray, "repeat fold"]
    uncalibrated: Float[np.ndarray, "repeat document outcome"]
    candidates: int
    chosen: tuple[str, ...]
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LossCurve:
    """A term of the loss over the steps of training: mean, 10th and 90th percentile over folds."""

    name: str
    steps: Int[np.ndarray, " step"]
    mean: Float[np.ndarray, " step"]
    low: Float[np.ndarray, " step"]
    high: Float[np.ndarray, " step"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrievalRecall:
    """Recall at 1 among a fold's test documents, mean over folds, and what chance attains; None where not measured.

    Audio to text is never optimised, so it shows whether the joint embedding is more than a copy.
    """

    audio_to_joint: float | None
    text_to_joint: float | None
    audio_to_text: float | None
    chance: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentEmbeddings:
    """Embeddings by the out-of-fold networks of one repeat; `fold_of` says by which.

    Networks of different folds embed into spaces of their own: vectors of two folds must not be compared.
    """

    audio: Float[np.ndarray, "document width"]
    text: Float[np.ndarray, "document width"]
    joint: Float[np.ndarray, "document width"]
    fold_of: Int[np.ndarray, " document"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ContributionEvidence:
    """Exact Shapley shares by the out-of-fold networks of one repeat, in log-odds of the outcome `reported` (an index).

    `share_audio` is NaN where it is undefined, `stable` False where a sign changes under another baseline. `planted`
    says where a synthetic cohort planted the outcome (audio, text, both, none); it is None for a real one.
    """

    audio: Float[np.ndarray, " document"]
    text: Float[np.ndarray, " document"]
    interaction: Float[np.ndarray, " document"]
    baseline: Float[np.ndarray, " document"]
    share_audio: Float[np.ndarray, " document"]
    stable: Bool[np.ndarray, " document"]
    reported: Int[np.ndarray, " document"]
    planted: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OutOfDistributionPValues:
    """Conformal p-values of documents against the training documents of their fold; NaN for a missing modality."""

    audio: Float[np.ndarray, " document"]
    text: Float[np.ndarray, " document"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What a run found, for one task.

    `arms` begins with HILBERT. `subgroups` gives, for covariates such as sex or role, the value of each document
    (empty where unknown), aligned with `arms[0].found.rows`. `excluded` counts documents left out, by reason. `about`
    holds settings, seeds, versions, digests, the command line and the date, and nothing of a person or a machine;
    `about["demonstration"]` is true for a synthetic cohort.
    """

    task: str
    outcomes: tuple[str, ...]
    arms: tuple[ArmEvidence, ...]
    labels: Int[np.ndarray, " cohort"]
    families: tuple[str, ...]
    covariates: Covariates
    subgroups: Mapping[str, tuple[str, ...]]
    folds: tuple[OuterFold, ...]
    loss_curves: tuple[LossCurve, ...]
    retrievals: RetrievalRecall
    embeddings: DocumentEmbeddings | None
    contributions: ContributionEvidence | None
    out_of_distribution: OutOfDistributionPValues | None
    excluded: Mapping[str, int]
    about: Mapping[str, JsonValue]


def check_evidence(evidence: Evidence) -> None:
    """Refuses evidence whose parts were not made together, for its numbers would compare different documents.

    Raises EvidenceError.
    """
    if not evidence.arms:
        raise EvidenceError("there is no arm: pass the predictions of at least one model")
    first = evidence.arms[0].predictions
    if len({arm.name for arm in evidence.arms}) < len(evidence.arms):
        raise EvidenceError("two arms have one name: give each its own")
    for arm in evidence.arms:
        _check_arm(arm, first, evidence)
    documents = len(first.rows)
    short = [name for name, values in evidence.subgroups.items() if len(values) != documents]
    if short:
        raise EvidenceError(f"subgroups must have one value for each tested document: {', '.join(sorted(short))}")
    for name in ("embeddings", "contributions", "out_of_distribution"):
        part = getattr(evidence, name)
        if part is not None and len(part.audio) != documents:
            raise EvidenceError(f"{name} must have one row for each tested document")
    if not len(evidence.labels) == len(evidence.families) == len(evidence.covariates.age):
        raise EvidenceError("labels, families and covariates must have one entry for each document of the cohort")


def _check_arm(arm: ArmEvidence, first: OutOfFoldPredictions, evidence: Evidence) -> None:
    same = arm.predictions.rows == first.rows and np.array_equal(arm.predictions.fold_of, first.fold_of)
    if not same or arm.predictions.outcomes != evidence.outcomes:
        raise EvidenceError(f"{arm.name} was not tested on the same documents, folds and outcomes as the first arm")
    repeats, folds = len(first.fold_of), int(first.fold_of.max()) + 1
    if arm.thresholds.shape != (repeats, folds, len(evidence.outcomes)) or arm.temperatures.shape != (repeats, folds):
        raise EvidenceError(f"{arm.name} needs a temperature for each fold, and a threshold for each fold and outcome")
    if arm.uncalibrated.shape != arm.predictions.probabilities.shape:
        raise EvidenceError(f"{arm.name} needs as many uncalibrated risks as calibrated ones")
