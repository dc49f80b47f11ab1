"""Cross-modal attention with null keys, and gated self-attentive pooling."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional

from model.network.dropout import Dropout, DropoutNoise


class CrossAttention(nn.Module):
    """One direction, pre-norm: C = U + MHA(LN U, [n; LN V], keys [1; M]), then a feed-forward layer.

    `null_key` is the learned token of the other modality. It is always valid, so the softmax over a missing modality
    stays finite, and a segment need not attend to any segment.
    """

    def __init__(self, *, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.query_norm = nn.LayerNorm(width)
        self.key_norm = nn.LayerNorm(width)
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width)
        self.out = nn.Linear(width, width)
        self.dropout = Dropout(dropout)
        self.feed_forward = FeedForward(width=width, dropout=dropout)

    def forward(
        self,
        stream: Float[Tensor, "document segment width"],
        other: Float[Tensor, "document other width"],
        other_mask: Bool[Tensor, "document other"],
        null_key: Float[Tensor, " width"],
        noise: DropoutNoise | None = None,
    ) -> Float[Tensor, "document segment width"]:
        """Attend from every segment of `stream` to the valid segments of `other`. See docs/method.md (N4)."""
        null = null_key.expand(other.shape[0], 1, -1)
        keys = torch.cat([null, self.key_norm(other)], dim=1)
        valid = torch.cat([torch.ones_like(other_mask[:, :1]), other_mask], dim=1)
        attended = functional.scaled_dot_product_attention(
            self._split(self.query(self.query_norm(stream))),
            self._split(self.key(keys)),
            self._split(self.value(keys)),
            attn_mask=valid[:, None, None, :],
        )
        crossed = stream + self.dropout(self.out(attended.transpose(1, 2).flatten(2)), noise)
        out: Tensor = crossed + self.dropout(self.feed_forward(crossed, noise), noise)
        return out

    def _split(self, x: Float[Tensor, "document segment width"]) -> Float[Tensor, "document head segment part"]:
        return x.reshape(x.shape[0], x.shape[1], self.heads, -1).transpose(1, 2)


class FeedForward(nn.Module):
    """Pre-norm, one hidden layer of twice the width."""

    def __init__(self, *, width: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.widen = nn.Linear(width, 2 * width)
        self.dropout = Dropout(dropout)
        self.narrow = nn.Linear(2 * width, width)

    def forward(
        self, stream: Float[Tensor, "document segment width"], noise: DropoutNoise | None = None
    ) -> Float[Tensor, "document segment width"]:
        """The update that the caller adds to every position. See docs/method.md (N5)."""
        hidden = self.dropout(functional.gelu(self.widen(self.norm(stream))), noise)
        out: Tensor = self.narrow(hidden)
        return out


class GatedPooling(nn.Module):
    """Self-attentive pooling: e_s = w'(tanh(V c_s) * sigmoid(G c_s)); alpha = softmax(e + log M); sum alpha_s c_s.

    Every row needs at least one valid position.
    """

    def __init__(self, *, width: int) -> None:
        super().__init__()
        self.content = nn.Linear(width, width // 2)
        self.gate = nn.Linear(width, width // 2)
        self.score = nn.Linear(width // 2, 1, bias=False)

    def forward(
        self, stream: Float[Tensor, "document segment width"], mask: Bool[Tensor, "document segment"]
    ) -> Float[Tensor, "document width"]:
        """Pool the valid segments of every document into one vector. See docs/method.md (N6)."""
        energy = self.score(torch.tanh(self.content(stream)) * torch.sigmoid(self.gate(stream))).squeeze(-1)
        weight = torch.softmax(energy.masked_fill(~mask, float("-inf")), dim=-1)
        # 0 * inf and 0 * NaN are NaN: a zero weight alone does not remove such values of the padding.
        valid_stream = stream.masked_fill(~mask.unsqueeze(-1), 0.0)
        return torch.einsum("bs,bsd->bd", weight, valid_stream)
