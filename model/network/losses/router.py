"""Losses of the router: they balance the load of the experts and bound the logits."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from model.network.losses.rows import masked_mean, zero_absent_rows


def load_balancing_loss(
    router_logits: Float[Tensor, "document expert"], present: Bool[Tensor, " document"]
) -> Float[Tensor, ""]:
    """Squared coefficient of variation of the experts' summed gates (Shazeer et al. 2017), population variance.

    0 if all E experts have the same load, E - 1 if one expert has all of it; 0 for a batch without documents.

    See docs/method.md (L14).
    """
    gates = torch.softmax(zero_absent_rows(router_logits, present), dim=-1)
    # Absent rows are cleared again, because the softmax gives them even gates, which would count as load.
    load = zero_absent_rows(gates, present).sum(dim=0)
    mean = load.mean()
    return (load - mean).square().mean() / torch.where(mean > 0, mean, 1.0).square()


def router_z_loss(
    router_logits: Float[Tensor, "document expert"], present: Bool[Tensor, " document"]
) -> Float[Tensor, ""]:
    """Mean squared log-sum-exp of the router's logits (z-loss, Zoph et al. 2022). See docs/method.md (L15)."""
    return masked_mean(zero_absent_rows(router_logits, present).logsumexp(dim=-1).square(), present)
