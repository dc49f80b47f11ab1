"""Masks of the documents of a batch, instead of selections, so that all shapes are fixed.

With fixed shapes and no branches on values, `torch.func.vmap` can train many folds as one stacked model. A document
without any modality is padding and enters no loss.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


def zero_absent_rows(
    values: Float[Tensor, "document width"], present: Bool[Tensor, " document"]
) -> Float[Tensor, "document width"]:
    """Set the rows that are not present to zero; they then get no gradient."""
    # `where` and not a product, because 0 times NaN is NaN.
    return torch.where(present.unsqueeze(-1), values, 0.0)


def masked_mean(values: Float[Tensor, " document"], counted: Bool[Tensor, " document"]) -> Float[Tensor, ""]:
    """Mean of the counted values; without any, a 0 that is still part of the graph."""
    return torch.where(counted, values, 0.0).sum() / counted.sum().clamp(min=1)


def candidate_mask(
    present: Bool[Tensor, " document"], groups: Sequence[Int[Tensor, " document"]]
) -> Bool[Tensor, "document document"]:
    """Candidates of each document in the contrastive loss: [i, k] is true for i = k and for documents of other groups.

    Documents that share a group (a person, a family) are not negatives of each other; a negative id is in no group.
    Rows and columns of absent documents are false, so the diagonal is the mask of present documents. The mask is
    symmetric.

    See docs/method.md (L2).
    """
    itself = torch.eye(present.shape[0], dtype=torch.bool, device=present.device)
    related = torch.zeros_like(itself)
    for group in groups:
        known = group >= 0
        # Two missing ids are equal numbers and no relation.
        related = related | ((group.unsqueeze(1) == group.unsqueeze(0)) & known.unsqueeze(1))
    return present.unsqueeze(1) & present.unsqueeze(0) & (itself | ~related)
