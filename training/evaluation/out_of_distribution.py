"""Out-of-distribution detection: a conformal p-value of a document for each modality.

The score is the Mahalanobis distance of the mean segment features. The covariance is shrunk towards a multiple of the
identity (Ledoit and Wolf 2004), because there are more features than documents. The rank of the distance among held-out
documents is a conformal p-value (Laxhammar and Falkman 2010; Bates et al. 2023).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float
from sklearn.covariance import LedoitWolf

from model.features import SegmentFeatures

_FEWEST = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceDistribution:
    """Mean, scale and precision matrix of the training documents, and the distances of the calibration documents.

    `distances` are ascending. With n of them the smallest p-value is 1 / (n + 1).
    """

    mean: Float[np.ndarray, " dim"]
    scale: Float[np.ndarray, " dim"]
    precision: Float[np.ndarray, "dim dim"]
    shrinkage: float
    distances: Float[np.ndarray, " calibration"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentMeans:
    """Mean features over the valid segments of each document; NaN where a document lacks the modality."""

    audio: Float[np.ndarray, "document audio_dim"]
    text: Float[np.ndarray, "document text_dim"]


def average_segments(documents: Sequence[SegmentFeatures]) -> DocumentMeans:
    """The mean feature vector of each document and modality."""
    return DocumentMeans(
        audio=np.stack([_mean(document.audio, document.audio_mask) for document in documents]),
        text=np.stack([_mean(document.text, document.text_mask) for document in documents]),
    )


def fit_reference_distribution(
    training: Float[np.ndarray, "training dim"], calibration: Float[np.ndarray, "calibration dim"]
) -> ReferenceDistribution:
    """Fit the reference distribution on training documents and rank it on calibration documents.

    The calibration documents must be of other families: in high dimensions the distances of the training documents
    themselves are too small. Rows with NaN are left out. Raises ValueError when fewer than two training documents or
    no calibration document remain.

    See docs/method.md (K8).
    """
    known = training[~np.isnan(training).any(axis=1)].astype(np.float64)
    held_out = calibration[~np.isnan(calibration).any(axis=1)]
    if len(known) < _FEWEST or not len(held_out):
        raise ValueError("out-of-distribution needs two training documents and a calibration document with features")
    mean, scale = known.mean(axis=0), known.std(axis=0)
    # A feature that is constant in the training part would divide by 0.
    scale[scale == 0] = 1.0
    fitted = LedoitWolf(assume_centered=True).fit((known - mean) / scale)
    reference = ReferenceDistribution(
        mean=mean,
        scale=scale,
        precision=np.asarray(fitted.precision_),
        shrinkage=float(fitted.shrinkage_),
        distances=np.empty(0),
    )
    return replace(reference, distances=np.sort(measure_distances(reference, held_out)))


def measure_distances(
    reference: ReferenceDistribution, features: Float[np.ndarray, "document dim"]
) -> Float[np.ndarray, " document"]:
    """Mahalanobis distance of each row; NaN for a row with NaN. See docs/method.md (K8)."""
    centred = (features.astype(np.float64) - reference.mean) / reference.scale
    squared = np.einsum("nd,nd->n", centred @ reference.precision, centred)
    # Rounding may turn the square of a small distance negative.
    return np.asarray(np.sqrt(np.maximum(squared, 0.0)))


def p_values(
    reference: ReferenceDistribution, features: Float[np.ndarray, "document dim"]
) -> Float[np.ndarray, " document"]:
    """(1 + number of calibration documents at least as far) / (1 + number of calibration documents); NaN for NaN rows.

    For documents exchangeable with the calibration documents, P(p-value <= alpha) <= alpha.

    See docs/method.md (K8).
    """
    distances = measure_distances(reference, features)
    # `left`: calibration documents at the same distance count as at least as far.
    farther = len(reference.distances) - np.searchsorted(reference.distances, distances, side="left")
    values = (1 + farther) / (1 + len(reference.distances))
    # `searchsorted` sorts NaN last, which would read as the smallest p-value.
    return np.where(np.isnan(distances), np.nan, values)


def _mean(values: Float[np.ndarray, "segment dim"], mask: Bool[np.ndarray, " segment"]) -> Float[np.ndarray, " dim"]:
    return np.asarray(values[mask].mean(axis=0)) if mask.any() else np.full(values.shape[1], np.nan)
