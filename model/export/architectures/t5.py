"""T5's encoder as one graph: embeddings, transformer with relative positions, layer choice, masked mean."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from transformers import MT5EncoderModel, T5EncoderModel

from model.export.architectures.attention import attend_to_valid_positions
from model.export.architectures.pooling import last_third, masked_mean, valid_positions


class T5Features(nn.Module):
    """From token ids padded at the end and their valid counts to one vector per segment.

    The final normalisation of the encoder is applied to every chosen layer, as T5 applies it to the last. Without it,
    the few tokens of largest norm dominate the mean (decision 0015).
    """

    distances: Tensor

    def __init__(self, model: T5EncoderModel | MT5EncoderModel, *, layers: tuple[int, ...] | None = None) -> None:
        super().__init__()
        attend_to_valid_positions(model)
        self.encoder = model.encoder
        self.layers = layers or last_third(model.config.num_layers)
        self.farthest = int(model.config.relative_attention_max_distance)
        self.register_buffer("distances", self._distances(), persistent=False)

    def forward(
        self, tokens: Int[Tensor, "segment token"], valid: Int[Tensor, " segment"]
    ) -> Float[Tensor, "segment dim"]:
        """Encode texts; the mean includes the end token."""
        mask = valid_positions(tokens.shape[1], valid)
        outputs = []
        positions = self._positions(tokens)
        hidden = self.encoder.embed_tokens(tokens)
        for block in self.encoder.block:
            hidden = block(hidden, attention_mask=valid, position_bias=positions)[0]
            outputs.append(self.encoder.final_layer_norm(hidden))
        return masked_mean(outputs, self.layers, mask)

    @torch.no_grad()
    def _distances(self) -> Float[Tensor, "distance head"]:
        """The learned bias of every distance from -farthest to farthest; beyond these it is constant.

        The buckets of distances depend on a logarithm, which two runtimes may round to different sides of a bucket's
        edge. With a table of torch's values, all runtimes have the same bias.
        """
        attention = self.encoder.block[0].layer[0].SelfAttention
        (bias,) = attention.compute_bias(self.farthest + 1, self.farthest + 1)
        backwards, forwards = bias[:, 1:, 0].flip(1), bias[:, 0]
        return torch.cat([backwards, forwards], dim=1).T.contiguous()

    def _positions(self, tokens: Int[Tensor, "segment token"]) -> Float[Tensor, "1 head token token"]:
        place = torch.arange(tokens.shape[1], device=tokens.device)
        distance = (place[None, :] - place[:, None]).clamp(-self.farthest, self.farthest)
        return self.distances[distance + self.farthest].permute(2, 0, 1).unsqueeze(0)
