"""HuBERT as one graph: normalisation, convolutions, transformer, layer choice, masked mean."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from transformers import HubertModel

from model.export.pooling import attention_bias, last_third, masked_mean, valid_positions

# Of the checkpoint's own feature extractor, which normalises before the network sees the waveform.
NORMALISATION_EPSILON = 1e-7


class HubertFeatures(nn.Module):
    """Waveforms padded at the end and their lengths in samples to one vector a segment.

    Every statistic is taken over valid samples or frames only. The first convolution of HuBERT-base
    normalises over time, which a mask given to the checkpoint's own forward pass cannot mend
    (fairseq #3227); here its mean and variance skip the padding, so that a padded segment has the
    features of the same segment alone.
    """

    def __init__(self, model: HubertModel, *, normalise: bool, layers: tuple[int, ...] | None = None) -> None:
        super().__init__()
        positional = model.encoder.pos_conv_embed.conv
        if nn.utils.parametrize.is_parametrized(positional, "weight"):
            nn.utils.parametrize.remove_parametrizations(positional, "weight")
        self.model = model
        self.normalise = normalise
        self.layers = layers or last_third(model.config.num_hidden_layers)

    def forward(
        self, waveform: Float[Tensor, "segment sample"], samples: Int[Tensor, " segment"]
    ) -> Float[Tensor, "segment dim"]:
        """Encode segments; each needs at least one frame's worth of samples."""
        frames, valid = self._convolve(self._standardise(waveform, samples), samples)
        mask = valid_positions(frames.shape[1], valid)
        encoder = self.model.encoder
        hidden = self.model.feature_projection(frames) * mask.unsqueeze(-1)
        hidden = hidden + encoder.pos_conv_embed(hidden)
        if not self.model.config.do_stable_layer_norm:
            hidden = encoder.layer_norm(hidden)
        return self._transform(hidden, mask)

    def _standardise(
        self, waveform: Float[Tensor, "segment sample"], samples: Int[Tensor, " segment"]
    ) -> Float[Tensor, "segment sample"]:
        if not self.normalise:
            return waveform
        mask = valid_positions(waveform.shape[1], samples).to(waveform.dtype)
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
                hidden = layer.conv(hidden)
                mask = valid_positions(hidden.shape[2], valid).unsqueeze(1).to(hidden.dtype)
                hidden = _standard(hidden, mask, norm.eps) * norm.weight[:, None] + norm.bias[:, None]
                hidden = layer.activation(hidden)
            else:
                hidden = layer(hidden)
        return hidden.transpose(1, 2), valid

    def _transform(
        self, hidden: Float[Tensor, "segment frame dim"], mask: Bool[Tensor, "segment frame"]
    ) -> Float[Tensor, "segment dim"]:
        bias, outputs = attention_bias(mask), []
        for layer in self.model.encoder.layers:
            hidden = layer(hidden, attention_mask=bias)
            outputs.append(hidden)
        return masked_mean(outputs, self.layers, mask)


def _standard(x: Tensor, mask: Tensor, epsilon: float) -> Tensor:
    """Zero mean, unit variance along the last axis, over positions where `mask` is one."""
    count = mask.sum(dim=-1, keepdim=True)
    mean = (x * mask).sum(dim=-1, keepdim=True) / count
    variance = ((x - mean).square() * mask).sum(dim=-1, keepdim=True) / count
    return (x - mean) / torch.sqrt(variance + epsilon)
