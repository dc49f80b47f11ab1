"""RoBERTa as one graph: embeddings, transformer, layer choice, masked mean."""

from __future__ import annotations

from jaxtyping import Float, Int
from torch import Tensor, nn
from transformers import RobertaModel

from model.export.architectures.attention import attend_to_valid_positions
from model.export.architectures.pooling import last_third, masked_mean, valid_positions


class RobertaFeatures(nn.Module):
    """From token ids padded at the end and their valid counts to one vector per segment."""

    def __init__(self, model: RobertaModel, *, layers: tuple[int, ...] | None = None) -> None:
        super().__init__()
        attend_to_valid_positions(model)
        self.model = model
        self.layers = layers or last_third(model.config.num_hidden_layers)

    def forward(
        self, tokens: Int[Tensor, "segment token"], valid: Int[Tensor, " segment"]
    ) -> Float[Tensor, "segment dim"]:
        """Encode texts; the mean includes the special tokens."""
        mask = valid_positions(tokens.shape[1], valid)
        outputs = []
        hidden = self.model.embeddings(input_ids=tokens)
        for layer in self.model.encoder.layer:
            hidden = layer(hidden, attention_mask=valid)
            hidden = hidden[0] if isinstance(hidden, tuple) else hidden
            outputs.append(hidden)
        return masked_mean(outputs, self.layers, mask)
