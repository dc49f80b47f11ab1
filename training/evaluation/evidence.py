"""The evidence of a cross-validated run: predictions, folds, covariates, and how they were made.

Arrays have one of two orders. `Evidence.labels`, `families`, `covariates` and the row indices of folds have one entry
per document of the cohort. Arrays with the axis "document" inside an arm, and all arrays aligned with them, have one
entry per row of `arms[0].predictions.rows`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from pydantic import JsonValue

from training.errors import EvidenceError
from training.evaluation.baseline import Covariates
from training.evaluation.out_of_fold import OutOfFoldPredictions
from training.folds.nested import OuterFold


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmEvidence:
    """The evidence of one model, tuned and tested on the same folds as the others.

    `predictions` holds risks calibrated by the temperature of the inner folds, `uncalibrated` the risks at temperature
    1. The thresholds were chosen on inner folds. `candidates` counts the tuned settings; `chosen` names the selected
    one of each fold, in the order of `Evidence.folds`. `seconds` is the total time.
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
    """A loss term over the steps of training: mean, 10th and 90th percentile over folds."""

    name: str
    steps: Int[np.ndarray, " step"]
    mean: Float[np.ndarray, " step"]
    low: Float[np.ndarray, " step"]
    high: Float[np.ndarray, " step"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrievalRecall:
    """Recall at 1 among the test documents of a fold, mean over folds, with its chance level; None if undefined.

    No loss term contrasts audio with text directly, so that recall shows whether the modalities share information.
    """

    audio_to_joint: float | None
    text_to_joint: float | None
    audio_to_text: float | None
    chance: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentEmbeddings:
    """Embeddings by the out-of-fold networks of one repeat; `fold_of` names the fold of each document.

    The networks of different folds have different embedding spaces, so vectors of two folds are not comparable.
    """

    audio: Float[np.ndarray, "document width"]
    text: Float[np.ndarray, "document width"]
    joint: Float[np.ndarray, "document width"]
    fold_of: Int[np.ndarray, " document"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ContributionEvidence:
    """Exact Shapley values by the out-of-fold networks of one repeat, in log-odds of the outcome `reported` (an index).

    `share_audio` is NaN where it is undefined; `stable` is False where a sign changes under another baseline. `planted`
    names the modality of the planted outcome (audio, text, both, none) in a synthetic cohort; None in a real one.
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
    """Conformal p-values of documents under the training documents of their fold; NaN for a missing modality."""

    audio: Float[np.ndarray, " document"]
    text: Float[np.ndarray, " document"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """The evidence of a run for one task.

    `arms` begins with HILBERT. `subgroups` holds the level of each document for covariates such as sex or role (empty
    where unknown), aligned with `arms[0].predictions.rows`. `excluded` counts excluded documents by reason. `about`
    holds settings, seeds, versions, digests and the date, but no data of a person or a machine;
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
    """Raise EvidenceError when parts of the evidence are not aligned, because measures would mix documents."""
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
