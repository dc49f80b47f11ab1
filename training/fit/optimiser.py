"""AdamW on stacked weights: one optimiser for all folds, with the gradient of each fold clipped by its own norm."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import torch
from torch import Tensor

from training.config import TrainerSettings

MATRIX = 3  # number of axes of a stacked weight matrix, "fold" included


def open_optimiser(weights: Mapping[str, Tensor], settings: TrainerSettings) -> torch.optim.AdamW:
    """An AdamW with weight decay on matrices only: not on biases, norms, null tokens or the temperature theta.

    See docs/method.md (T2).
    """
    # The axes decide, not the name alone: the scale of a LayerNorm is called `weight` too.
    decayed = {name for name, value in weights.items() if name.endswith("weight") and value.dim() >= MATRIX}
    return torch.optim.AdamW(
        [
            {"params": [weights[name] for name in weights if name in decayed], "weight_decay": settings.weight_decay},
            {"params": [weights[name] for name in weights if name not in decayed], "weight_decay": 0.0},
        ],
        lr=settings.learning_rate,
        fused=True,
    )


def set_rate(optimiser: torch.optim.AdamW, rate: float) -> None:
    """Set the learning rate of the next step."""
    for group in optimiser.param_groups:
        group["lr"] = rate


def warm_up_then_cosine(step: int, *, warmup: int, steps: int) -> float:
    """Factor on the learning rate: linear warm-up, then half a cosine to 0. See docs/method.md (T3)."""
    if step < warmup:
        return (step + 1) / warmup
    # A phase that is all warm-up would divide by 0.
    return 0.5 * (1 + math.cos(math.pi * min(1.0, (step - warmup) / max(1, steps - warmup))))


def clip_by_fold(weights: Iterable[Tensor], most: float) -> None:
    """Scale the gradient of each fold down to the norm `most`, over all weights of the fold.

    See docs/method.md (T4).
    """
    gradients = [weight.grad for weight in weights if weight.grad is not None]
    # A stacked scalar such as theta has the axis of folds alone, and nothing to flatten.
    squares = [
        gradient.flatten(1).square().sum(dim=1) if gradient.dim() > 1 else gradient.square() for gradient in gradients
    ]
    # One norm for each fold: a common norm would couple the folds of a stack (decision 0017). 1e-6 avoids 0 / 0.
    scale = (most / (torch.stack(squares).sum(dim=0).sqrt() + 1e-6)).clamp(max=1.0)
    for gradient in gradients:
        gradient.mul_(scale.view(-1, *[1] * (gradient.dim() - 1)))


def read_moments(optimiser: torch.optim.AdamW, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """First and second moments by the name of the weight, for a saved state."""
    moments = {}
    for name, weight in weights.items():
        kept = optimiser.state.get(weight)
        # A weight that never had a gradient has no moments.
        if kept:
            moments[f"first/{name}"], moments[f"second/{name}"] = kept["exp_avg"], kept["exp_avg_sq"]
    return moments


def restore_moments(
    optimiser: torch.optim.AdamW, weights: Mapping[str, Tensor], moments: Mapping[str, Tensor], steps: int
) -> None:
    """Restore the moments that `read_moments` returned after `steps` steps."""
    for name, weight in weights.items():
        if f"first/{name}" in moments:
            optimiser.state[weight] = {
                # A fused AdamW reads its step as a float tensor on the device of the weight.
                "step": torch.tensor(float(steps), device=weight.device),
                "exp_avg": moments[f"first/{name}"].to(weight.device),
                "exp_avg_sq": moments[f"second/{name}"].to(weight.device),
            }
