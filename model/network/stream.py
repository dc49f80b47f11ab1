"""One modality in the network: its segments after a null token, which is valid only without segments."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """One modality after projection: position 0 is its null token, valid only if no segment is."""

    values: Float[Tensor, "document segment width"]
    pool_mask: Bool[Tensor, "document segment"]
    segment_mask: Bool[Tensor, "document segment"]  # never true at position 0


def stream_of(
    projected: Float[Tensor, "document segment width"],
    mask: Bool[Tensor, "document segment"],
    null: Float[Tensor, " width"],
) -> Stream:
    """Prepend the null token, and set padding to zero. See docs/method.md (N3)."""
    # Padding may hold NaN, and in attention a weight of 0 times NaN is NaN.
    clean = projected.masked_fill(~mask.unsqueeze(-1), 0.0)
    nothing = ~mask.any(dim=1, keepdim=True)
    return Stream(
        values=torch.cat([null.expand(clean.shape[0], 1, -1), clean], dim=1),
        pool_mask=torch.cat([nothing, mask], dim=1),
        segment_mask=torch.cat([torch.zeros_like(nothing), mask], dim=1),
    )
