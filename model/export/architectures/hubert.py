"""HuBERT as one graph: normalisation, convolutions, transformer, layer choice, masked mean."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from transformers import HubertModel

from model.export.architectures.attention import attend_to_valid_positions
from model.export.architectures.convolution import convolve, normalised_convolution
from model.export.architectures.pooling import last_third, masked_mean, valid_positions

# From the feature extractor of the checkpoint, which normalises waveforms.
NORMALISATION_EPSILON = 1e-7


class HubertFeatures(nn.Module):
    """From waveforms padded at the end and their lengths in samples to one vector per segment.

    Statistics are computed over valid samples and frames only, so that a padded segment has the features of the same
    segment alone. The forward pass of the checkpoint cannot do this with a mask: the first convolution of HuBERT-base
    normalises over time, padding included (fairseq #3227).
    """

    def __init__(self, model: HubertModel, *, normalise: bool, layers: tuple[int, ...] | None = None) -> None:
        super().__init__()
        positional = model.encoder.pos_conv_embed.conv
        if nn.utils.parametrize.is_parametrized(positional, "weight"):
            nn.utils.parametrize.remove_parametrizations(positional, "weight")
        attend_to_valid_positions(model)
        self.model = model
        self.normalise = normalise
        self.layers = layers or last_third(model.config.num_hidden_layers)

    def forward(
        self, waveform: Float[Tensor, "segment sample"], samples: Int[Tensor, " segment"]
    ) -> Float[Tensor, "segment dim"]:
        """Encode segments; each needs the samples of at least one frame."""
        frames, valid = self._convolve(self._standardise(waveform, samples), samples)
        mask = valid_positions(frames.shape[1], valid)
        encoder = self.model.encoder
        # The convolution of positions reads neighbours, and padding must not be among them.
        hidden = self.model.feature_projection(frames) * mask.unsqueeze(-1)
        hidden = hidden + self._positions(hidden, mask)
        if not self.model.config.do_stable_layer_norm:
            hidden = encoder.layer_norm(hidden)
        outputs = []
        for layer in encoder.layers:
            hidden = layer(hidden, attention_mask=valid)
            outputs.append(hidden)
        return masked_mean(outputs, self.layers, mask)

    def _standardise(
        self, waveform: Float[Tensor, "segment sample"], samples: Int[Tensor, " segment"]
    ) -> Float[Tensor, "segment sample"]:
        if not self.normalise:
            return waveform
        mask = valid_positions(waveform.shape[1], samples).to(waveform.dtype)
        # The padding is not 0 any more once the mean is subtracted, and the convolutions read it.
        return _standard(waveform, mask, NORMALISATION_EPSILON) * mask

    def _convolve(
        self, waveform: Float[Tensor, "segment sample"], samples: Int[Tensor, " segment"]
    ) -> tuple[Float[Tensor, "segment frame channel"], Int[Tensor, " segment"]]:
        config = self.model.config
        hidden, valid = waveform.unsqueeze(1), samples
        shapes = zip(config.conv_kernel, config.conv_stride, strict=True)
        for layer, (kernel, stride) in zip(self.model.feature_extractor.conv_layers, shapes, strict=True):
            valid = torch.div(valid - kernel, stride, rounding_mode="floor") + 1
            norm = getattr(layer, "layer_norm", None)
            if isinstance(norm, nn.GroupNorm):
                hidden = normalised_convolution(hidden, layer.conv, norm, valid)
            else:
                hidden = convolve(hidden, layer.conv)
                if norm is not None:
                    hidden = norm(hidden.transpose(1, 2)).transpose(1, 2)
            hidden = layer.activation(hidden)
        return hidden.transpose(1, 2), valid

    def _positions(
        self, hidden: Float[Tensor, "segment frame dim"], mask: Bool[Tensor, "segment frame"]
    ) -> Float[Tensor, "segment frame dim"]:
        embedding = self.model.encoder.pos_conv_embed
        rows = hidden.transpose(1, 2)
        if embedding.batch_norm is not None:
            # A batch norm moves padding away from 0.
            rows = embedding.batch_norm(rows) * mask.unsqueeze(1)
        positions: Tensor = embedding.activation(embedding.padding(convolve(rows, embedding.conv)))
        return positions.transpose(1, 2)


def _standard(x: Tensor, mask: Tensor, epsilon: float) -> Tensor:
    """Normalise to zero mean and unit variance along the last axis, over positions where `mask` is one."""
    count = mask.sum(dim=-1, keepdim=True)
    mean = (x * mask).sum(dim=-1, keepdim=True) / count
    variance = ((x - mean).square() * mask).sum(dim=-1, keepdim=True) / count
    return (x - mean) / torch.sqrt(variance + epsilon)
