from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from transformers import RobertaConfig, RobertaModel

from model.encoders.description import GRAPH
from model.encoders.runtime import RuntimeOptions, open_session
from model.export.architectures.attention import OPERATOR, attend_to_valid_positions


def test_valid_counts_do_what_a_mask_of_ones_and_zeros_does() -> None:
    torch.manual_seed(0)
    sizes = {"vocab_size": 40, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
    model = RobertaModel(RobertaConfig(**sizes, intermediate_size=32), add_pooling_layer=False).eval()
    tokens, valid = torch.randint(3, 40, (2, 12)), torch.tensor([12, 7])
    mask = torch.arange(12)[None, :] < valid[:, None]
    with torch.no_grad():
        expected = model(tokens, attention_mask=mask).last_hidden_state
        attend_to_valid_positions(model)
        hidden = model.embeddings(tokens)
        for layer in model.encoder.layer:
            found = layer(hidden, attention_mask=valid)
            hidden = found[0] if isinstance(found, tuple) else found
    torch.testing.assert_close(hidden[mask], expected[mask], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("modality", ["speech", "text"])
def test_attention_is_one_operator_without_a_mask_for_batches_without_padding(modality: str, encoders: Path) -> None:
    graph = onnx.load(encoders / modality / GRAPH).graph
    choices = [node for node in graph.node if node.op_type == "If"]
    branches = [{one.name: one.g.node for one in choice.attribute} for choice in choices]
    assert branches
    assert not [node for node in graph.node if node.op_type in {OPERATOR, "Softmax"}]
    for branch in branches:
        (whole,), (masked,) = branch["then_branch"], branch["else_branch"]
        assert (whole.op_type, masked.op_type) == (OPERATOR, OPERATOR)
        assert (len(whole.input), len(masked.input)) == (3, 5)


def test_the_distances_of_t5_stay_in_its_attention(other_encoders: Path) -> None:
    graph = onnx.load(other_encoders / "text" / GRAPH).graph
    attentions = [node for node in graph.node if node.op_type == OPERATOR]
    assert attentions
    assert all(node.input[4] and node.input[5] for node in attentions)


def test_both_ways_through_a_graph_give_the_same(encoders: Path) -> None:
    session = open_session(encoders / "speech" / GRAPH, RuntimeOptions(threads=1))
    waveform = np.random.default_rng(1).standard_normal((2, 24_000)).astype(np.float32)
    (whole,) = session.run(["features"], {"waveform": waveform, "samples": np.array([24_000, 24_000])})
    (masked,) = session.run(["features"], {"waveform": waveform, "samples": np.array([24_000, 16_000])})
    np.testing.assert_allclose(masked[0], whole[0], rtol=1e-5, atol=1e-6)
    assert not np.allclose(masked[1], whole[1], atol=1e-3)
