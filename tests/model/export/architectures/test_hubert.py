from typing import Any

import pytest
import torch
from transformers import HubertConfig, HubertModel

from model.export.architectures.hubert import HubertFeatures

SIZES = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
CONVOLUTIONS = {"conv_dim": (8, 8), "conv_kernel": (10, 3), "conv_stride": (5, 2)}
POSITIONS = {"num_conv_pos_embeddings": 8, "num_conv_pos_embedding_groups": 2}


@pytest.mark.parametrize("normalised", ["group", "layer", "positions by batch"])
def test_padding_changes_nothing_whatever_is_normalised(normalised: str) -> None:
    torch.manual_seed(0)
    changes: Any = {
        "group": {},
        "layer": {"feat_extract_norm": "layer", "conv_bias": True, "do_stable_layer_norm": True},
        "positions by batch": {"conv_pos_batch_norm": True},
    }[normalised]
    model = HubertModel(HubertConfig(**SIZES, **CONVOLUTIONS, **POSITIONS, **changes)).eval()
    if normalised == "positions by batch":
        norm = model.encoder.pos_conv_embed.batch_norm
        norm.running_mean.uniform_(-1, 1)
        norm.running_var.uniform_(0.5, 2)
    waveform, beyond = torch.randn(1, 900), torch.randn(1, 333)
    with torch.no_grad():
        expected = model(waveform, output_hidden_states=True).hidden_states[1].mean(dim=1)
        features = HubertFeatures(model, normalise=False, layers=(1,)).eval()
        for padded in (waveform, torch.cat([waveform, beyond], dim=1)):
            torch.testing.assert_close(features(padded, torch.tensor([900])), expected, rtol=1e-5, atol=1e-5)
