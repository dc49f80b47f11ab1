"""Masked means of the exported encoders."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


def last_third(layers: int) -> tuple[int, ...]:
    """The averaged layers, counted from 1: the last third, at least one [ours: the paper does not specify it].

    See docs/method.md (F6).
    """
    return tuple(range(layers - max(1, round(layers / 3)) + 1, layers + 1))


def valid_positions(length: int | torch.SymInt, valid: Int[Tensor, " segment"]) -> Bool[Tensor, "segment position"]:
    """True for positions within the valid length of their row; `length` is symbolic during tracing."""
    # The stubs of torch do not allow a symbolic length in arange.
    return torch.arange(length, device=valid.device)[None, :] < valid[:, None]  # type: ignore[arg-type]


def masked_mean(
    outputs: Sequence[Float[Tensor, "segment position dim"]],
    layers: Sequence[int],
    mask: Bool[Tensor, "segment position"],
) -> Float[Tensor, "segment dim"]:
    """Mean over the chosen layers (counted from 1), then over the valid positions. See docs/method.md (F6)."""
    chosen = torch.stack([outputs[layer - 1] for layer in layers]).mean(dim=0)
    weight = mask.unsqueeze(-1).to(chosen.dtype)
    return (chosen * weight).sum(dim=1) / weight.sum(dim=1)
