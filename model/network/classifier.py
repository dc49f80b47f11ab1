"""A mixture of experts over [audio; text; joint; present], one logit head per task."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from model.network.dropout import Dropout, DropoutNoise


class Expert(nn.Module):
    """One expert: a feed-forward layer."""

    def __init__(self, *, dim: int, width: int, dropout: float) -> None:
        super().__init__()
        self.hidden = nn.Linear(dim, width)
        self.dropout = Dropout(dropout)
        self.out = nn.Linear(width, width)

    def forward(
        self, x: Float[Tensor, "document dim"], noise: DropoutNoise | None = None
    ) -> Float[Tensor, "document width"]:
        """One hidden vector per document. See docs/method.md (N9)."""
        out: Tensor = self.out(self.dropout(functional.gelu(self.hidden(x)), noise))
        return out


class MixtureOfExperts(nn.Module):
    """g = softmax(W_g LN x); h = sum_e g_e f_e(x). Soft gates: with one token per document, top-k saves nothing."""

    def __init__(self, *, dim: int, width: int, experts: int, dropout: float) -> None:
        super().__init__()
        self.router = nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, experts))
        self.experts = nn.ModuleList(Expert(dim=dim, width=width, dropout=dropout) for _ in range(experts))

    def forward(
        self, x: Float[Tensor, "document dim"], noise: DropoutNoise | None
    ) -> tuple[Float[Tensor, "document width"], Float[Tensor, "document expert"]]:
        """Return the mixed hidden vector and the router's logits. See docs/method.md (N9)."""
        router_logits: Tensor = self.router(x)
        opinions = torch.stack([expert(x, noise) for expert in self.experts], dim=1)
        hidden = torch.einsum("be,bed->bd", torch.softmax(router_logits, dim=-1), opinions)
        return hidden, router_logits


class Classifier(nn.Module):
    """Mixture of experts followed by a linear head for each task."""

    def __init__(self, *, dim: int, width: int, experts: int, dropout: float, outcomes: Mapping[str, int]) -> None:
        super().__init__()
        self.mixture = MixtureOfExperts(dim=dim, width=width, experts=experts, dropout=dropout)
        self.norm = nn.LayerNorm(width)
        self.heads = nn.ModuleDict({task: nn.Linear(width, count) for task, count in outcomes.items()})

    def forward(
        self, x: Float[Tensor, "document dim"], noise: DropoutNoise | None = None
    ) -> tuple[dict[str, Float[Tensor, "document outcome"]], Float[Tensor, "document expert"]]:
        """Return logits by task, and the router's logits. See docs/method.md (N10)."""
        hidden, router_logits = self.mixture(x, noise)
        hidden = self.norm(hidden)
        return {task: head(hidden) for task, head in self.heads.items()}, router_logits
