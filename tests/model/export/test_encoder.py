import json
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModel, AutoTokenizer, HubertModel, Wav2Vec2FeatureExtractor

from model.encoders.description import GRAPH, WEIGHTS, fingerprint
from model.encoders.runtime import RuntimeOptions
from model.encoders.speech import SpeechEncoder
from model.encoders.text import TextEncoder
from model.errors import ParityError, UnsupportedEncoder
from model.export.architectures.pooling import last_third
from model.export.encoder import export_encoder
from model.export.graph import GraphSignature, check_parity, write_graph

WAVEFORM = np.random.default_rng(3).standard_normal(37_123).astype(np.float32) * 0.2


def hub_speech_features(checkpoint: Path) -> np.ndarray:
    """The features as the checkpoint's own code gives them for the unpadded waveform."""
    model = HubertModel.from_pretrained(checkpoint).eval()
    inputs = Wav2Vec2FeatureExtractor.from_pretrained(checkpoint)(
        WAVEFORM, sampling_rate=16_000, return_tensors="pt"
    ).input_values
    with torch.no_grad():
        hidden = model(inputs, output_hidden_states=True).hidden_states
    return hidden[-1].mean(dim=1)[0].numpy()


def test_hubert_base_gives_the_checkpoints_own_features_in_spite_of_padding(hubert_base: Path, encoders: Path) -> None:
    speech = SpeechEncoder(encoders / "speech", RuntimeOptions(threads=1))
    np.testing.assert_allclose(speech.encode([WAVEFORM])[0], hub_speech_features(hubert_base), atol=2e-5)


def test_hubert_large_gives_the_checkpoints_own_features(hubert_large: Path, tmp_path: Path) -> None:
    description = export_encoder(str(hubert_large), tmp_path / "speech")
    assert description.parity <= 1e-4
    assert description.source == "hubert-large"
    speech = SpeechEncoder(tmp_path / "speech", RuntimeOptions(threads=1))
    np.testing.assert_allclose(speech.encode([WAVEFORM])[0], hub_speech_features(hubert_large), atol=2e-5)


def test_roberta_gives_the_checkpoints_own_features(roberta: Path, encoders: Path) -> None:
    words = "We went for a walk by the river."
    model = AutoModel.from_pretrained(roberta, add_pooling_layer=False).eval()
    with torch.no_grad():
        tokens = AutoTokenizer.from_pretrained(roberta)(words, return_tensors="pt")
        expected = model(**tokens, output_hidden_states=True).hidden_states[-1].mean(dim=1)[0]
    text = TextEncoder(encoders / "text", RuntimeOptions(threads=1))
    np.testing.assert_allclose(text.encode([words])[0], expected.numpy(), atol=2e-5)


def test_an_unknown_architecture_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    checkpoint = tmp_path / "bert"
    checkpoint.mkdir()
    (checkpoint / "config.json").write_text(json.dumps({"model_type": "bert"}))
    with pytest.raises(UnsupportedEncoder) as refusal:
        export_encoder(str(checkpoint), tmp_path / "out" / "encoder")
    assert "camembert, hubert, mt5, roberta, t5, whisper, xlm-roberta" in refusal.value.advice
    assert not (tmp_path / "out").exists()


def test_a_graph_that_differs_from_torch_is_refused(tmp_path: Path) -> None:
    signature = GraphSignature(inputs=("x",), outputs=("y",), dynamic={"x": {0: "row"}})
    one, other = torch.nn.Linear(3, 2), torch.nn.Linear(3, 2)
    write_graph(one, [torch.zeros(4, 3)], signature, tmp_path / "graph.onnx")
    assert check_parity(one, [[torch.randn(5, 3)]], signature, tmp_path / "graph.onnx", 1e-5) <= 1e-5
    with pytest.raises(ParityError, match="differs from torch"):
        check_parity(other, [[torch.randn(5, 3)]], signature, tmp_path / "graph.onnx", 1e-5)
    torch.nn.init.constant_(other.bias, float("nan"))
    with pytest.raises(ParityError, match="by nan"):
        check_parity(other, [[torch.randn(5, 3)]], signature, tmp_path / "graph.onnx", 1e-5)


def test_weights_beyond_the_size_of_one_file_are_in_a_second_file(tmp_path: Path) -> None:
    signature = GraphSignature(inputs=("x",), outputs=("y",), dynamic={"x": {0: "row"}})
    network = torch.nn.Linear(300, 200)
    write_graph(network, [torch.zeros(4, 300)], signature, tmp_path / GRAPH, largest=100_000)
    assert sorted(file.name for file in tmp_path.iterdir()) == [GRAPH, WEIGHTS]
    assert (tmp_path / WEIGHTS).stat().st_size >= 240_000
    assert check_parity(network, [[torch.randn(5, 300)]], signature, tmp_path / GRAPH, 1e-5) <= 1e-5
    before = fingerprint(tmp_path)
    (tmp_path / WEIGHTS).write_bytes(b"others")
    assert fingerprint(tmp_path) != before


@pytest.mark.parametrize(("layers", "chosen"), [(1, (1,)), (3, (3,)), (4, (4,)), (12, (9, 10, 11, 12))])
def test_the_last_third_of_the_layers_is_averaged(layers: int, chosen: tuple[int, ...]) -> None:
    assert last_third(layers) == chosen
