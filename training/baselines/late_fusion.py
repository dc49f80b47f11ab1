"""Late fusion: a weighted mean of the calibrated log-probabilities of the audio and the text model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from training.evaluation.calibration.temperature import fit_temperature
from training.evaluation.metrics import log_loss, softmax

WEIGHTS = tuple(round(step / 20, 2) for step in range(21))


@dataclass(frozen=True, slots=True, kw_only=True)
class EnsembleMembers:
    """The two members of the ensemble: log-probabilities by each model, and whether a document has its modality."""

    audio: Float[np.ndarray, "document outcome"]
    text: Float[np.ndarray, "document outcome"]
    has_audio: Bool[np.ndarray, " document"]
    has_text: Bool[np.ndarray, " document"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LateFusion:
    """The weight of the audio model and the temperature of the fused log-probabilities."""

    weight: float
    temperature: float


def fuse(members: EnsembleMembers, weight: float) -> Float[np.ndarray, "document outcome"]:
    """Weighted mean of the log-probabilities. A document with one modality uses the model of that modality alone.

    See docs/method.md (B2).
    """
    audio = np.where(members.has_text, np.where(members.has_audio, weight, 0.0), 1.0)[:, None]
    return np.asarray(audio * members.audio + (1 - audio) * members.text)


def fit_fusion(inner: EnsembleMembers, labels: Int[np.ndarray, " document"]) -> LateFusion:
    """The weight with the lowest log loss on inner predictions, each weight at its own fitted temperature.

    See docs/method.md (B2).
    """
    tried = []
    for weight in WEIGHTS:
        logits = fuse(inner, weight)
        temperature = fit_temperature(logits, labels)
        tried.append((log_loss(softmax(logits / temperature), labels), weight, temperature))
    _, weight, temperature = min(tried)
    return LateFusion(weight=weight, temperature=temperature)


def log_probabilities(logits: Float[np.ndarray, "document outcome"]) -> Float[np.ndarray, "document outcome"]:
    """Log-softmax, with probabilities clipped at 1e-12."""
    # A probability of 0 would make the mean minus infinity, whatever the other model says.
    return np.asarray(np.log(np.clip(softmax(logits), 1e-12, None)))


def ensemble_members(
    audio: Float[np.ndarray, "document outcome"],
    text: Float[np.ndarray, "document outcome"],
    present: Mapping[str, Sequence[bool]],
) -> EnsembleMembers:
    """The ensemble members of documents, from the calibrated logits of both models."""
    return EnsembleMembers(
        audio=log_probabilities(audio),
        text=log_probabilities(text),
        has_audio=np.array(present["audio"], dtype=np.bool_),
        has_text=np.array(present["text"], dtype=np.bool_),
    )
