"""The learned scale exp(theta) of the contrastive similarities, bounded by a cap."""

from __future__ import annotations

import math
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

INITIAL = 1 / 0.07  # Wu et al. 2018; CLIP (Radford et al. 2021) starts there too


class LearnedTemperature(nn.Module):
    """min(exp(theta), cap), with theta learned and starting at log(1/0.07).

    A plain clamp has no gradient above the cap, so theta could never return once it is above. Clamping theta after
    every step would have to be repeated in every training loop. Here the gradient above the cap passes only if it
    lowers the scale. Exclude theta from weight decay, which would pull the scale towards 1.
    """

    def __init__(self, *, cap: float) -> None:
        super().__init__()
        self.cap = cap
        self.theta = nn.Parameter(torch.tensor(min(math.log(INITIAL), math.log(cap))))

    def forward(self) -> Float[Tensor, ""]:
        """The factor on cosine similarities. See docs/method.md (L3)."""
        scale: Tensor = _Capped.apply(self.theta.exp(), self.cap)  # type: ignore[no-untyped-call]
        return scale


class _Capped(torch.autograd.Function):
    """min(scale, cap), with a gradient at and above the cap only where descent lowers the scale."""

    # `vmap` refuses an autograd function without a rule.
    generate_vmap_rule = True

    @staticmethod
    def forward(scale: Tensor, cap: float) -> Tensor:
        return scale.clamp(max=cap)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, float], _output: Tensor) -> None:
        scale, cap = inputs
        ctx.save_for_backward(scale < cap)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (below,) = ctx.saved_tensors
        return torch.where(below | (gradient > 0), gradient, 0.0), None
