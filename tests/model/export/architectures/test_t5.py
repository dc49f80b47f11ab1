from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoTokenizer, MT5Config, MT5EncoderModel, T5Config, T5EncoderModel

from model.encoders.description import read_description
from model.encoders.runtime import RuntimeOptions
from model.encoders.text import TextEncoder
from model.export.architectures.pooling import valid_positions
from model.export.architectures.t5 import T5Features

SIZES = {"vocab_size": 60, "d_model": 24, "d_kv": 12, "d_ff": 48, "num_layers": 4, "num_heads": 2, "dropout_rate": 0.0}
BUILD = {
    "t5, relu": lambda: T5EncoderModel(T5Config(**SIZES, feed_forward_proj="relu")),
    "t5, gated": lambda: T5EncoderModel(T5Config(**SIZES, feed_forward_proj="gated-gelu")),
    "mt5": lambda: MT5EncoderModel(MT5Config(**SIZES)),
}


def hub_features(checkpoint: Path, words: str) -> np.ndarray:
    """The mean over tokens of layers 4 and 5, from the checkpoint's own encoder."""
    model = T5EncoderModel.from_pretrained(checkpoint).eval()
    with torch.no_grad():
        tokens = AutoTokenizer.from_pretrained(checkpoint)(words, return_tensors="pt")
        output = model(**tokens, output_hidden_states=True)
        fourth = model.encoder.final_layer_norm(output.hidden_states[4])
    return ((fourth + output.last_hidden_state) / 2)[0].mean(dim=0).numpy()


@pytest.mark.parametrize("repeats", [1, 9])
def test_t5_gives_the_checkpoints_own_features(repeats: int, t5: Path, other_encoders: Path) -> None:
    words = "We went for a walk by the river, and that was good. " * repeats
    text = TextEncoder(other_encoders / "text", RuntimeOptions(threads=1))
    np.testing.assert_allclose(text.encode([words])[0], hub_features(t5, words), atol=2e-5)


@pytest.mark.parametrize("build", BUILD.values(), ids=BUILD.keys())
def test_padding_and_distances_are_those_of_the_checkpoint(build) -> None:
    torch.manual_seed(0)
    model = build().eval()
    tokens, valid = torch.randint(3, 60, (2, 300)), torch.tensor([300, 170])
    mask = valid_positions(300, valid)
    with torch.no_grad():
        states = model(input_ids=tokens, attention_mask=mask.long()).last_hidden_state
        expected = torch.stack([row[:length].mean(dim=0) for row, length in zip(states, valid, strict=True)])
        torch.testing.assert_close(T5Features(model).eval()(tokens, valid), expected, rtol=1e-4, atol=1e-5)


def test_the_description_names_architecture_window_and_padding(other_encoders: Path) -> None:
    description = read_description(other_encoders / "text")
    assert (description.architecture, description.longest, description.pad_id) == ("t5", 512, 0)
    assert description.layers == (4, 5)
    assert description.parity <= 1e-4
