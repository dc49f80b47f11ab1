"""Checks before and during training: leakage between parts, non-finite losses, non-finite features."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from training.documents.labelled import LabelledDocument
from training.errors import DivergedError, FamilyLeakError, HeldOutDocumentError


def refuse_overlap(
    name: str,
    training: Sequence[LabelledDocument],
    validation: Sequence[LabelledDocument],
    held_out: frozenset[str],
) -> None:
    """Refuse a family on both sides of a split, and families of the test part among the training documents.

    Contrastive terms use no labels, but a test document in them is leakage all the same. Raises HeldOutDocumentError
    and FamilyLeakError.

    See docs/method.md (T11).
    """
    trained = {document.family for document in training}
    tested = trained & held_out
    if tested:
        raise HeldOutDocumentError(
            f"{name}: {len(tested)} families of the test part are among the training documents: "
            "no term, with or without labels, may use them; draw the folds by family"
        )
    shared = trained & {document.family for document in validation}
    if shared:
        raise FamilyLeakError(
            f"{name}: {len(shared)} families are in both the training and the validation part: split by family"
        )


def refuse_divergence(names: Sequence[str], step: int, total: Tensor, terms: Mapping[str, Tensor]) -> None:
    """Raise DivergedError when the loss of a fold is not finite; names the fold, the step and the first such term.

    `total` and each term have one value per fold. A step reads the whole training part of a fold as one batch.

    See docs/method.md (T11).
    """
    if bool(torch.isfinite(total).all()):
        return
    fold = int((~torch.isfinite(total)).nonzero()[0])
    broken = [name for name, values in terms.items() if not bool(torch.isfinite(values[fold]))]
    what = f"the term {broken[0]}" if broken else "the weighted total"
    raise DivergedError(
        f"{names[fold]}, step {step} (one batch of the whole training part): {what} is not finite: lower the learning "
        "rate, or look for features that are not finite in this part"
    )


def refuse_broken_features(documents: Sequence[LabelledDocument]) -> None:
    """Raise ValueError with the positions of documents that have valid segments with non-finite features.

    See docs/method.md (T11).
    """
    broken = [
        position
        for position, document in enumerate(documents)
        for features, mask in (
            (document.features.audio, document.features.audio_mask),
            (document.features.text, document.features.text_mask),
        )
        # Masked segments may hold anything, NaN included: they reach neither value nor gradient (decision 0008).
        if not bool(torch.isfinite(torch.from_numpy(features[mask])).all())
    ]
    if broken:
        shown = ", ".join(map(str, sorted(set(broken))[:10]))
        raise ValueError(
            f"features are not finite in documents {shown}: encode them again (delete them from the feature cache)"
        )
