"""The documents of several folds as tensors with the axis "fold", padded to common shapes.

Folds differ by a few documents, so each group of equal padded length is filled with absent documents, which no loss
term counts. Random bytes are drawn per document, so a document gets the same dropout alone and in a stack.
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
"""The fields of a DocumentBatch in their order, each with "fold" as first axis."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StackedDocuments:
    """The documents of each fold, in groups of one padded length; the axis "document" concatenates the groups.

    `positions` holds the index of each document in its fold, -1 for an absent document.
    """

    groups: tuple[Tensors, ...]
    lengths: tuple[int, ...]
    positions: Int64[np.ndarray, "fold document"]
    person: Int64[Tensor, "fold document"]
    family: Int64[Tensor, "fold document"]
    labels: dict[str, Int64[Tensor, "fold document"]]

    @property
    def sizes(self) -> tuple[int, ...]:
        """Number of documents in each group, absent ones included."""
        return tuple(group[0].shape[1] for group in self.groups)

    def to(self, device: torch.device) -> StackedDocuments:
        """The same documents on a device."""
        return replace(
            self,
            groups=tuple(tuple(tensor.to(device) for tensor in group) for group in self.groups),
            person=self.person.to(device),
            family=self.family.to(device),
            labels={task: values.to(device) for task, values in self.labels.items()},
        )

    def restore(self, values: np.ndarray, fold: int) -> np.ndarray:
        """The rows of one fold, in the order in which its documents were given."""
        places = np.flatnonzero(self.positions[fold] >= 0)
        return np.asarray(values[fold][places[np.argsort(self.positions[fold][places])]])


def stack_documents(
    folds: Sequence[Sequence[LabelledDocument]], bounds: Sequence[int], tasks: Sequence[str]
) -> StackedDocuments:
    """Stack the documents of the folds; `bounds` are the padded lengths (`training.documents.padding`)."""
    grouped = [_group(documents, bounds) for documents in folds]
    # A length that no fold uses would cost a pass of the network.
    used = [g for g in range(len(bounds)) if any(groups[g] for groups in grouped)]
    # `vmap` needs equal shapes, so each group has the size of the fold with most documents in it.
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
    """Modality dropout: the presence of audio and text in each group after dropping either from a `share` of documents.

    Only documents with both modalities are affected, and never both modalities at once. Every fold draws one number
    per document from its own generator, in the order in which its documents were given.

    See docs/method.md (T5).
    """
    # Absent documents keep 0.5, which drops nothing, because `share` is below 0.5.
    drawn = torch.full(documents.positions.shape, 0.5)
    for fold, generator in enumerate(generators):
        known = documents.positions[fold] >= 0
        # In the order of the fold's documents, so that the draw does not depend on padding or stack.
        chance = torch.rand(int(known.sum()), generator=generator)
        drawn[fold, torch.from_numpy(known)] = chance[torch.from_numpy(documents.positions[fold][known])]
    presences = []
    for group, chances in zip(documents.groups, torch.split(drawn, list(documents.sizes), dim=1), strict=True):
        audio, text = group[-2], group[-1]
        chance, both = chances.to(audio.device), audio & text
        # One number decides for both modalities, so that no document loses both (T5).
        presences.append((audio & ~(both & (chance < share)), text & ~(both & (chance >= 1 - share))))
    return presences


def draw_noise(
    documents: StackedDocuments, counts: Sequence[int], generators: Sequence[torch.Generator]
) -> tuple[UInt8[Tensor, "fold document byte"], ...]:
    """Random bytes for the dropout of each group, `counts` bytes per document; absent documents get zeros."""
    noises = []
    places = np.split(documents.positions, np.cumsum(documents.sizes)[:-1], axis=1)
    for group, count, positions in zip(documents.groups, counts, places, strict=True):
        words = -(-count // 8)
        drawn = torch.zeros((*positions.shape, words), dtype=torch.int64)
        for fold, generator in enumerate(generators):
            # Present documents come first in a group: their bytes do not depend on how many absent ones follow.
            present = int((positions[fold] >= 0).sum())
            # The whole range of an int64, so that each of its eight bytes is uniform.
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
    """An integer for each person and family, because the objective compares ids as integers."""
    names = sorted({name for document in documents for name in (document.person, document.family)})
    return {name: number for number, name in enumerate(names)}


def _place(
    folds: Sequence[Sequence[LabelledDocument]],
    positions: Int64[np.ndarray, "fold document"],
    read: Callable[[Sequence[LabelledDocument]], Sequence[int] | np.ndarray],
) -> Int64[Tensor, "fold document"]:
    """The values that `read` returns for the documents of each fold, at their positions; -1 for absent documents."""
    placed = np.full(positions.shape, ABSENT, dtype=np.int64)
    for fold, documents in enumerate(folds):
        known = positions[fold] >= 0
        placed[fold, known] = np.asarray(read(documents))[positions[fold][known]]
    return torch.from_numpy(placed)
