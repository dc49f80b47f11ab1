"""What training refuses, because its result would mean something else than it says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from training.documents.labelled import LabelledDocument
from training.folds.splits import FamilyLeakError


class HeldOutDocumentError(ValueError):
    """A document that a network is to be tested on, or one of its family, is among those that train it."""


class DivergedError(RuntimeError):
    """A term of the loss is no finite number; the message says which, where, and what to look at."""


def refuse_overlap(
    name: str,
    training: Sequence[LabelledDocument],
    validation: Sequence[LabelledDocument],
    held_out: frozenset[str],
) -> None:
    """Refuses a family on both sides of a split, and families that are held out for the test.

    Contrastive training needs no labels, so a test document would go unnoticed there; it is leakage all the same.
    Raises HeldOutDocumentError, FamilyLeakError.
    """
    trained = {document.family for document in training}
    tested = trained & held_out
    if tested:
        raise HeldOutDocumentError(
            f"{name}: {len(tested)} families of the test part are among the training documents: "
            "no term, with labels or without, may see them; draw the folds by family"
        )
    shared = trained & {document.family for document in validation}
    if shared:
        raise FamilyLeakError(f"{name}: {len(shared)} families both train and stop the training: split by family")


def refuse_divergence(names: Sequence[str], step: int, total: Tensor, terms: Mapping[str, Tensor]) -> None:
    """Raises DivergedError when a fold's loss is not finite, naming the fold, the step and the first term that is not.

    `total` and each term have one value a fold. A step reads the whole training part of its fold as one batch.
    """
    if bool(torch.isfinite(total).all()):
        return
    fold = int((~torch.isfinite(total)).nonzero()[0])
    broken = [name for name, values in terms.items() if not bool(torch.isfinite(values[fold]))]
    what = f"the term {broken[0]}" if broken else "the weighted total"
    raise DivergedError(
        f"{names[fold]}, step {step} (a batch of its whole training part): {what} is not finite: lower the learning "
        "rate, or look for features that are not finite in this part"
    )


def refuse_broken_features(documents: Sequence[LabelledDocument]) -> None:
    """Raises ValueError, with positions, when a document has valid segments whose features are not finite."""
    broken = [
        position
        for position, document in enumerate(documents)
        for features, mask in (
            (document.features.audio, document.features.audio_mask),
            (document.features.text, document.features.text_mask),
        )
        if not bool(torch.isfinite(torch.from_numpy(features[mask])).all())
    ]
    if broken:
        shown = ", ".join(map(str, sorted(set(broken))[:10]))
        raise ValueError(
            f"features are not finite in documents {shown}: encode them again (delete their kept features)"
        )
