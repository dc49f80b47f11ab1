"""Attention over the valid positions: one fused operator in the graph, torch's attention elsewhere.

The layers of the encoders are those of transformers. Only the attention function is replaced, through the library's
registry of attention implementations. In place of a mask the layers pass on the number of valid positions of each
segment, which carries the same information because segments are padded at their end.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

IMPLEMENTATION = "hilbert_valid_positions"
OPERATOR = "MultiHeadAttention"
RUNTIME_DOMAIN = "com.microsoft"
# Added to the scores of invalid keys: float16 can represent it, and its exponential is zero.
MASKED = -30_000.0


def attend_to_valid_positions(model: PreTrainedModel) -> None:
    """Make the layers of `model` take valid counts (int64, one per segment) in place of the attention mask."""
    ALL_ATTENTION_FUNCTIONS.register(IMPLEMENTATION, _attention)
    model.set_attn_implementation(IMPLEMENTATION)


def _attention(
    _: nn.Module,
    query: Float[Tensor, "segment head position depth"],
    key: Float[Tensor, "segment head position depth"],
    value: Float[Tensor, "segment head position depth"],
    valid: Int[Tensor, " segment"],
    scaling: float = 1.0,
    position_bias: Float[Tensor, "1 head position position"] | None = None,
    **unused: object,  # noqa: ARG001 - further arguments of transformers
) -> tuple[Float[Tensor, "segment position head depth"], None]:
    """softmax(q k' * scaling + bias) v, with zero weight on invalid keys."""
    if torch.onnx.is_in_onnx_export():
        return _fused(query, key, value, valid, scaling=scaling, position_bias=position_bias), None
    beyond = torch.arange(key.shape[2], device=valid.device)[None, :] >= valid[:, None]
    bias = torch.zeros(beyond.shape, dtype=query.dtype, device=query.device).masked_fill(beyond, MASKED)[:, None, None]
    if position_bias is not None:
        bias = bias + position_bias
    mixed = nn.functional.scaled_dot_product_attention(query, key, value, attn_mask=bias, scale=scaling)
    return mixed.transpose(1, 2), None


def _fused(
    query: Tensor, key: Tensor, value: Tensor, valid: Tensor, *, scaling: float, position_bias: Tensor | None
) -> Float[Tensor, "segment position head depth"]:
    heads, depth = query.shape[1], query.shape[3]
    rows = [each.transpose(1, 2).flatten(2) for each in (query, key, value)]
    mixed = torch.onnx.ops.symbolic(
        f"{RUNTIME_DOMAIN}::{OPERATOR}",
        [*rows, None, valid.to(torch.int32), position_bias],
        {"num_heads": heads, "scale": float(scaling), "mask_filter_value": MASKED},
        dtype=query.dtype,
        shape=rows[0].shape,
        version=1,
    )
    return mixed.view(*mixed.shape[:2], heads, depth)
