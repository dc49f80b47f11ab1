"""Labelled documents, their feature statistics, and padding into batches."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from model.features import SegmentFeatures
from model.network.batch import DocumentBatch
from training.cohort.cohort import MISSING


@dataclass(frozen=True, kw_only=True)
class LabelledDocument:
    """The segment features of a recording, its person and family, and the outcome index of each task."""

    person: str
    family: str
    features: SegmentFeatures
    labels: Mapping[str, int]

    @cached_property
    def digest(self) -> bytes:
        """sha256 of everything that training reads; cached, because every fold uses it."""
        digest = hashlib.sha256(repr((self.person, self.family, sorted(self.labels.items()))).encode())
        for field in fields(self.features):
            digest.update(np.ascontiguousarray(getattr(self.features, field.name)).tobytes())
        return digest.digest()


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureStatistics:
    """Mean and standard deviation of each feature dimension over the segments of a training fold."""

    audio_mean: Float[Tensor, " audio_dim"]
    audio_std: Float[Tensor, " audio_dim"]
    text_mean: Float[Tensor, " text_dim"]
    text_std: Float[Tensor, " text_dim"]


def pad_documents(features: Sequence[SegmentFeatures], *, segments: int | None = None) -> DocumentBatch:
    """Pad segment features to the longest document, or to `segments`. A modality without segments is not present."""
    times = _pad([document.times for document in features], segments)
    audio_mask, text_mask = (
        _pad([document.audio_mask for document in features], segments),
        _pad([document.text_mask for document in features], segments),
    )
    return DocumentBatch(
        audio_features=_pad([document.audio for document in features], segments),
        text_features=_pad([document.text for document in features], segments),
        audio_mask=audio_mask,
        text_mask=text_mask,
        audio_times=times,
        text_times=times,
        audio_present=audio_mask.any(dim=1),
        text_present=text_mask.any(dim=1),
    )


def read_labels(documents: Sequence[LabelledDocument], task: str) -> Int64[np.ndarray, " document"]:
    """The documents' labels of a task, -1 where missing."""
    return np.array([document.labels.get(task, MISSING) for document in documents], dtype=np.int64)


def measure_features(documents: Sequence[LabelledDocument]) -> FeatureStatistics:
    """Statistics over the valid segments. Pass the documents of the training fold only.

    A modality that no document has gets mean 0 and standard deviation 1.

    See docs/method.md (F9).
    """
    audio_mean, audio_std = _mean_and_std(
        [(document.features.audio, document.features.audio_mask) for document in documents]
    )
    text_mean, text_std = _mean_and_std(
        [(document.features.text, document.features.text_mask) for document in documents]
    )
    return FeatureStatistics(audio_mean=audio_mean, audio_std=audio_std, text_mean=text_mean, text_std=text_std)


def digest_documents(documents: Sequence[LabelledDocument]) -> str:
    """Hexadecimal sha256 of everything that training reads of the documents, in their order."""
    return hashlib.sha256(b"".join(document.digest for document in documents)).hexdigest()


def _mean_and_std(
    streams: Sequence[tuple[Float[np.ndarray, "_ dim"], Bool[np.ndarray, " _"]]],
) -> tuple[Float[Tensor, " dim"], Float[Tensor, " dim"]]:
    """Computed document by document, so that a large cohort is not copied."""
    count = sum(int(mask.sum()) for _, mask in streams)
    width = streams[0][0].shape[1]
    if not count:
        return torch.zeros(width), torch.ones(width)
    # float64, because a float32 sum over the segments of a cohort loses digits.
    mean = sum((values[mask].sum(axis=0, dtype=np.float64) for values, mask in streams), np.zeros(width)) / count
    # Around the mean: the difference of the mean square and the squared mean cancels where the mean is large.
    squares = sum((np.square(values[mask] - mean).sum(axis=0) for values, mask in streams), np.zeros(width))
    return torch.from_numpy(mean).float(), torch.from_numpy(np.sqrt(squares / count)).float()


def _pad(rows: Sequence[np.ndarray], length: int | None) -> Tensor:
    """Stack arrays of different length, with zeros (or false) as padding; at least one position long."""
    longest = max(1, *(len(row) for row in rows)) if length is None else length
    padded = np.zeros((len(rows), longest, *rows[0].shape[1:]), dtype=rows[0].dtype)
    for position, row in enumerate(rows):
        padded[position, : len(row)] = row
    return torch.from_numpy(padded)
