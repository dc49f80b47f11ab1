"""The projection heads p_a, p_t and p_j of the contrastive loss; serving does not run them."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional


class ProjectionHead(nn.Module):
    """Unit vectors z = norm(W2 gelu(W1 x)), d - d - `out`.

    The loss is applied to z, so the embedding can keep information that the loss would discard (Chen et al. 2020).
    """

    def __init__(self, *, width: int, out: int) -> None:
        super().__init__()
        self.hidden = nn.Linear(width, width)
        self.out = nn.Linear(width, out)

    def forward(
        self, embedding: Float[Tensor, "document width"], *, frozen: bool = False
    ) -> Float[Tensor, "document out"]:
        """Project and normalise; with `frozen` the gradient reaches the embedding but not the weights.

        See docs/method.md (N11).
        """
        hidden = functional.gelu(_linear(self.hidden, embedding, frozen))
        return functional.normalize(_linear(self.out, hidden, frozen), dim=-1)


class ProjectionHeads(nn.Module):
    """One head for each document embedding; both modalities are compared with the same joint head."""

    def __init__(self, *, width: int, out: int) -> None:
        super().__init__()
        self.audio = ProjectionHead(width=width, out=out)
        self.text = ProjectionHead(width=width, out=out)
        self.joint = ProjectionHead(width=width, out=out)


def _linear(layer: nn.Linear, x: Float[Tensor, "document _"], frozen: bool) -> Float[Tensor, "document _"]:
    weight, bias = layer.weight, layer.bias
    return functional.linear(x, weight.detach(), bias.detach()) if frozen else functional.linear(x, weight, bias)
