"""Documents of several folds side by side: one tensor for all folds, padded to common shapes.

Folds differ by a document or two, so each group of equal length is filled up with absent documents, which no term of
the objective counts. A document's random bytes are its own, so it meets the same chance alone and in a stack.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from functools import partial

import numpy as np
import torch
from jaxtyping import Bool, Int64, UInt8
from torch import Tensor

from model.network.batch import DocumentBatch
from training.documents.labelled import LabelledDocument, pad_documents, read_labels
from training.documents.padding import padded_length_index

BATCH_FIELDS = tuple(field.name for field in fields(DocumentBatch))
ABSENT = -1

Tensors = tuple[Tensor, ...]
"""The fields of a DocumentBatch in their order, each with the axis "fold" in front."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StackedDocuments:
    """Documents of each fold, in groups of one padded length; along "document" the groups follow each other.

    `positions` gives for each place the document's index in its fold, -1 for an absent one.
    """

    groups: tuple[Tensors, ...]
    lengths: tuple[int, ...]
    positions: Int64[np.ndarray, "fold document"]
    person: Int64[Tensor, "fold document"]
    family: Int64[Tensor, "fold document"]
    labels: dict[str, Int64[Tensor, "fold document"]]

    @property
    def sizes(self) -> tuple[int, ...]:
        """Places of each group."""
        return tuple(group[0].shape[1] for group in self.groups)

    def to(self, device: torch.device) -> StackedDocuments:
        """The same on a device."""
        return replace(
            self,
            groups=tuple(tuple(tensor.to(device) for tensor in group) for group in self.groups),
            person=self.person.to(device),
            family=self.family.to(device),
            labels={task: values.to(device) for task, values in self.labels.items()},
        )

    def restore(self, values: np.ndarray, fold: int) -> np.ndarray:
        """Rows of one fold, "document ...", in the order in which its documents were given."""
        places = np.flatnonzero(self.positions[fold] >= 0)
        return np.asarray(values[fold][places[np.argsort(self.positions[fold][places])]])


def stack_documents(
    folds: Sequence[Sequence[LabelledDocument]], bounds: Sequence[int], tasks: Sequence[str]
) -> StackedDocuments:
    """Stack the folds' documents; `bounds` are the lengths to pad to (`training.documents.padding`)."""
    grouped = [_group(documents, bounds) for documents in folds]
    used = [g for g in range(len(bounds)) if any(groups[g] for groups in grouped)]
    sizes = [max(len(groups[g]) for groups in grouped) for g in used]
    positions = np.full((len(folds), sum(sizes)), ABSENT, dtype=np.int64)
    for fold, groups in enumerate(grouped):
        for start, g in zip(np.cumsum([0, *sizes[:-1]]), used, strict=True):
            positions[fold, start : start + len(groups[g])] = groups[g]
    numbers = number_ids([document for documents in folds for document in documents])
    return StackedDocuments(
        groups=tuple(
            _stack_group(
                [[documents[p] for p in groups[g]] for documents, groups in zip(folds, grouped, strict=True)],
                bounds[g],
                size,
            )
            for g, size in zip(used, sizes, strict=True)
        ),
        lengths=tuple(bounds[g] for g in used),
        positions=positions,
        person=_place(folds, positions, lambda documents: [numbers[document.person] for document in documents]),
        family=_place(folds, positions, lambda documents: [numbers[document.family] for document in documents]),
        labels={task: _place(folds, positions, partial(read_labels, task=task)) for task in tasks},
    )


def drop_modalities(
    documents: StackedDocuments, *, share: float, generators: Sequence[torch.Generator]
) -> list[tuple[Bool[Tensor, "fold document"], Bool[Tensor, "fold document"]]]:
    """Presence of audio and text in each group, either withheld from a share of the documents that have both.

    Never both at once. Every fold draws from its own generator, a number a document in the order it was given.
    """
    drawn = torch.full(documents.positions.shape, 0.5)
    for fold, generator in enumerate(generators):
        known = documents.positions[fold] >= 0
        chance = torch.rand(int(known.sum()), generator=generator)
        drawn[fold, torch.from_numpy(known)] = chance[torch.from_numpy(documents.positions[fold][known])]
    presences = []
    for group, chances in zip(documents.groups, torch.split(drawn, list(documents.sizes), dim=1), strict=True):
        audio, text = group[-2], group[-1]
        chance, both = chances.to(audio.device), audio & text
        presences.append((audio & ~(both & (chance < share)), text & ~(both & (chance >= 1 - share))))
    return presences


def draw_noise(
    documents: StackedDocuments, counts: Sequence[int], generators: Sequence[torch.Generator]
) -> tuple[UInt8[Tensor, "fold document byte"], ...]:
    """Random bytes for each group's dropout, `counts` a document; absent documents get zeros."""
    noises = []
    places = np.split(documents.positions, np.cumsum(documents.sizes)[:-1], axis=1)
    for group, count, positions in zip(documents.groups, counts, places, strict=True):
        words = -(-count // 8)
        drawn = torch.zeros((*positions.shape, words), dtype=torch.int64)
        for fold, generator in enumerate(generators):
            present = int((positions[fold] >= 0).sum())
            drawn[fold, :present].random_(-(2**63), None, generator=generator)
        noises.append(drawn.view(torch.uint8).to(group[0].device))
    return tuple(noises)


def _group(documents: Sequence[LabelledDocument], bounds: Sequence[int]) -> list[list[int]]:
    groups: list[list[int]] = [[] for _ in bounds]
    for position, document in enumerate(documents):
        groups[padded_length_index(max(1, len(document.features.indices)), bounds)].append(position)
    return groups


def _stack_group(folds: Sequence[Sequence[LabelledDocument]], length: int, size: int) -> Tensors:
    dims = next(document.features for documents in folds for document in documents)
    empty = {
        "audio_features": (length, dims.audio.shape[1]),
        "text_features": (length, dims.text.shape[1]),
        "audio_present": (),
        "text_present": (),
    }
    stacked = []
    padded = [
        pad_documents([document.features for document in documents], segments=length) if documents else None
        for documents in folds
    ]
    for name in BATCH_FIELDS:
        kind = torch.bool if name.endswith(("mask", "present")) else torch.float32
        tensor = torch.zeros((len(folds), size, *empty.get(name, (length,))), dtype=kind)
        for fold, batch in enumerate(padded):
            if batch is not None:
                values = getattr(batch, name)
                tensor[fold, : len(values)] = values
        stacked.append(tensor)
    return tuple(stacked)


def number_ids(documents: Sequence[LabelledDocument]) -> dict[str, int]:
    """A number for each person and family, for the objective compares ids as integers."""
    names = sorted({name for document in documents for name in (document.person, document.family)})
    return {name: number for number, name in enumerate(names)}


def _place(
    folds: Sequence[Sequence[LabelledDocument]],
    positions: Int64[np.ndarray, "fold document"],
    read: Callable[[Sequence[LabelledDocument]], Sequence[int] | np.ndarray],
) -> Int64[Tensor, "fold document"]:
    """What `read` reads of each fold's documents, at their places; -1 for absent ones."""
    placed = np.full(positions.shape, ABSENT, dtype=np.int64)
    for fold, documents in enumerate(folds):
        known = positions[fold] >= 0
        placed[fold, known] = np.asarray(read(documents))[positions[fold][known]]
    return torch.from_numpy(placed)
