"""Which documents of a batch count: masks instead of selections, so that every shape stays fixed.

Fixed shapes and no branching on values let `torch.func.vmap` train many folds as one stacked
model. A document with neither modality is padding and counts nowhere.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


def zero_absent_rows(
    values: Float[Tensor, "document width"], present: Bool[Tensor, " document"]
) -> Float[Tensor, "document width"]:
    """Zeros in the rows that are not present, which then get no gradient either, whatever they held."""
    return torch.where(present.unsqueeze(-1), values, 0.0)


def masked_mean(values: Float[Tensor, " document"], counted: Bool[Tensor, " document"]) -> Float[Tensor, ""]:
    """Mean of the counted values; 0, still part of the graph, when none is."""
    return torch.where(counted, values, 0.0).sum() / counted.sum().clamp(min=1)


def candidate_mask(
    present: Bool[Tensor, " document"], groups: Sequence[Int[Tensor, " document"]]
) -> Bool[Tensor, "document document"]:
    """Whom a document may be matched with: [i, k] is true for itself and for documents of other groups.

    Two documents that share a group (a person, a family) are no negatives of each other. A negative
    id is nobody's relation. Rows and columns of documents that are not present are false throughout,
    so the diagonal says who takes part. The relation is symmetric.
    """
    itself = torch.eye(present.shape[0], dtype=torch.bool, device=present.device)
    related = torch.zeros_like(itself)
    for group in groups:
        known = group >= 0
        related = related | ((group.unsqueeze(1) == group.unsqueeze(0)) & known.unsqueeze(1))
    return present.unsqueeze(1) & present.unsqueeze(0) & (itself | ~related)
