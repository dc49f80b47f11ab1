"""Measures of the embeddings (nearest neighbours) and of out-of-distribution p-values."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int

from model.config import FrozenSettings
from training.evaluation.evidence import DocumentEmbeddings, OutOfDistributionPValues
from training.evaluation.out_of_fold import OutOfFoldPredictions

_LEVELS = (0.01, 0.05, 0.1)


class NeighbourMeasures(FrozenSettings):
    """Share of documents whose nearest neighbour of another family has the same outcome, with its chance level.

    Neighbours are the nearest by cosine among the test documents of the same fold, because the networks of different
    folds have different embedding spaces.
    """

    embedding: str
    documents: int
    same_outcome: float | None
    chance: float | None


class OutOfDistributionMeasures(FrozenSettings):
    """Share of documents with a p-value at or below each level; documents like the training ones have that share."""

    modality: str
    documents: int
    missing: int
    levels: tuple[float, ...]
    shares: tuple[float, ...]


def measure_neighbours(
    embeddings: DocumentEmbeddings, predictions: OutOfFoldPredictions
) -> tuple[NeighbourMeasures, ...]:
    """Measures of the audio, text and joint embeddings of labelled documents that have the modality.

    See docs/method.md (E18).
    """
    return tuple(
        _neighbours(name, vectors, embeddings.fold_of, predictions)
        for name, vectors in (("audio", embeddings.audio), ("text", embeddings.text), ("joint", embeddings.joint))
    )


def measure_out_of_distribution(values: OutOfDistributionPValues) -> tuple[OutOfDistributionMeasures, ...]:
    """The shares of documents with p-values of at most .01, .05 and .1, by modality."""
    return tuple(
        _out_of_distribution_measures(name, values) for name, values in (("audio", values.audio), ("text", values.text))
    )


def _neighbours(
    name: str,
    vectors: Float[np.ndarray, "document width"],
    fold_of: Int[np.ndarray, " document"],
    predictions: OutOfFoldPredictions,
) -> NeighbourMeasures:
    usable = np.isfinite(vectors).all(axis=1) & (predictions.labels >= 0)
    _, family_of = np.unique(np.asarray(predictions.families), return_inverse=True)
    same, chance = [], []
    for fold in np.unique(fold_of):
        rows = np.flatnonzero(usable & (fold_of == fold))
        foreign = family_of[rows][:, None] != family_of[rows][None]
        # A document whose fold has no other family has no neighbour.
        asked = foreign.any(axis=1)
        agrees = predictions.labels[rows][:, None] == predictions.labels[rows][None]
        similarity = np.where(foreign, _cosines(vectors[rows]), -np.inf)
        nearest = similarity.argmax(axis=1)
        same += agrees[np.flatnonzero(asked), nearest[asked]].tolist()
        chance += ((agrees & foreign).sum(axis=1)[asked] / foreign.sum(axis=1)[asked]).tolist()
    return NeighbourMeasures(embedding=name, documents=len(same), same_outcome=_mean(same), chance=_mean(chance))


def _cosines(vectors: Float[np.ndarray, "document width"]) -> Float[np.ndarray, "document document"]:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    # A vector of zeros has no direction, and 0 / 0 is NaN.
    unit = vectors / np.where(lengths > 0, lengths, 1.0)
    return np.asarray(unit @ unit.T)


def _out_of_distribution_measures(name: str, values: Float[np.ndarray, " document"]) -> OutOfDistributionMeasures:
    known = values[np.isfinite(values)]
    return OutOfDistributionMeasures(
        modality=name,
        documents=len(known),
        missing=len(values) - len(known),
        levels=_LEVELS,
        shares=tuple(float((known <= level).mean()) for level in _LEVELS) if len(known) else (),
    )


def _mean(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if values else None
