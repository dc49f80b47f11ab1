"""Documents with their labels, padded to the batches that the network reads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from model.features import SegmentFeatures
from model.network.batch import DocumentBatch
from training.cohort.cohort import MISSING, Cohort
from training.encoded_recording import EncodedRecording


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledDocument:
    """A recording's segment features, whose they are, and the index of the outcome of each task."""

    person: str
    family: str
    features: SegmentFeatures
    labels: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledBatch:
    """What one step of training reads."""

    documents: DocumentBatch
    labels: Mapping[str, Int64[Tensor, " document"]]


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureStatistics:
    """Mean and standard deviation of each feature dimension over the segments of a training fold."""

    audio_mean: Float[Tensor, " audio_dim"]
    audio_std: Float[Tensor, " audio_dim"]
    text_mean: Float[Tensor, " text_dim"]
    text_std: Float[Tensor, " text_dim"]


def label(
    cohort: Cohort, encoded: Sequence[EncodedRecording], *, task: str, outcomes: Sequence[str]
) -> Iterator[LabelledDocument]:
    """Put features and labels together, for the recordings that have features."""
    labels = cohort.labels(task, outcomes)
    for one in encoded:
        if one.features is not None:
            row = cohort.rows[one.row]
            yield LabelledDocument(
                person=row.person, family=row.family, features=one.features, labels={task: int(labels[one.row])}
            )


def collate(documents: Sequence[LabelledDocument]) -> LabelledBatch:
    """Pads documents to the longest; a task that a document lacks is labelled missing."""
    features = [document.features for document in documents]
    tasks = sorted({task for document in documents for task in document.labels})
    return LabelledBatch(
        documents=pad_documents(features),
        labels={task: torch.tensor([document.labels.get(task, MISSING) for document in documents]) for task in tasks},
    )


def pad_documents(features: Sequence[SegmentFeatures]) -> DocumentBatch:
    """Pads segment features to the longest document; a modality without a segment is not present."""
    times = _pad([one.times for one in features])
    audio_mask, text_mask = (
        _pad([one.audio_mask for one in features]),
        _pad([one.text_mask for one in features]),
    )
    return DocumentBatch(
        audio_features=_pad([one.audio for one in features]),
        text_features=_pad([one.text for one in features]),
        audio_mask=audio_mask,
        text_mask=text_mask,
        audio_times=times,
        text_times=times,
        audio_present=audio_mask.any(dim=1),
        text_present=text_mask.any(dim=1),
    )


def drop_modalities(batch: DocumentBatch, *, share: float, generator: torch.Generator) -> DocumentBatch:
    """Withholds either modality from a share of the documents that have both; never both at once."""
    drawn = torch.rand(len(batch.audio_present), generator=generator)
    both = batch.audio_present & batch.text_present
    return replace(
        batch,
        audio_present=batch.audio_present & ~(both & (drawn < share)),
        text_present=batch.text_present & ~(both & (drawn >= 1 - share)),
    )


def measure_features(documents: Sequence[LabelledDocument]) -> FeatureStatistics:
    """Statistics over the valid segments; pass the documents of the training fold alone.

    A modality that no document has is given mean 0 and standard deviation 1.
    """
    audio_mean, audio_std = _mean_and_std([(one.features.audio, one.features.audio_mask) for one in documents])
    text_mean, text_std = _mean_and_std([(one.features.text, one.features.text_mask) for one in documents])
    return FeatureStatistics(audio_mean=audio_mean, audio_std=audio_std, text_mean=text_mean, text_std=text_std)


def _mean_and_std(
    streams: Sequence[tuple[Float[np.ndarray, "_ dim"], Bool[np.ndarray, " _"]]],
) -> tuple[Float[Tensor, " dim"], Float[Tensor, " dim"]]:
    rows = np.concatenate([values[mask] for values, mask in streams]).astype(np.float64)
    if not len(rows):
        width = rows.shape[1]
        return torch.zeros(width), torch.ones(width)
    return torch.from_numpy(rows.mean(axis=0)).float(), torch.from_numpy(rows.std(axis=0)).float()


def _pad(rows: Sequence[np.ndarray]) -> Tensor:
    """Arrays of different length stacked, zeros (or false) after the end; at least one position long."""
    longest = max(1, *(len(row) for row in rows))
    padded = np.zeros((len(rows), longest, *rows[0].shape[1:]), dtype=rows[0].dtype)
    for position, row in enumerate(rows):
        padded[position, : len(row)] = row
    return torch.from_numpy(padded)
