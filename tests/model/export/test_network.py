from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from model.bundle.graph import INPUTS
from model.errors import ParityError
from model.export.network import TOLERANCE, NetworkGraph, NetworkTemplate, export_network
from model.network.hilbert import Hilbert


@pytest.fixture(scope="module")
def network() -> Hilbert:
    torch.manual_seed(1)
    return Hilbert(audio_dim=12, text_dim=10, outcomes={"spectrum": 4, "role": 2}, width=16, heads=2).eval()


def test_the_graph_agrees_with_torch_and_has_free_axes(network: Hilbert, tmp_path: Path) -> None:
    worst = export_network(network, tasks=["spectrum", "role"], file=tmp_path / "network.onnx")
    assert worst <= TOLERANCE
    session = onnxruntime.InferenceSession(str(tmp_path / "network.onnx"))
    assert [entry.name for entry in session.get_inputs()] == list(INPUTS)
    assert [entry.name for entry in session.get_outputs()] == [
        "audio",
        "text",
        "joint",
        "logits_spectrum",
        "logits_role",
    ]
    generator = np.random.default_rng(0)
    for documents, audio, text in ((1, 1, 9), (6, 130, 2)):
        feed = {
            "audio_features": generator.standard_normal((documents, audio, 12)).astype(np.float32),
            "text_features": generator.standard_normal((documents, text, 10)).astype(np.float32),
            "audio_mask": generator.random((documents, audio)) < 0.7,
            "text_mask": generator.random((documents, text)) < 0.7,
            "audio_times": generator.random((documents, audio)).astype(np.float32) * 900,
            "text_times": generator.random((documents, text)).astype(np.float32) * 900,
            "audio_present": generator.random(documents) < 0.5,
            "text_present": generator.random(documents) < 0.5,
        }
        with torch.no_grad():
            expected = NetworkGraph(network, ["spectrum", "role"])(*(torch.from_numpy(feed[name]) for name in INPUTS))
        for value, reference in zip(session.run(None, feed), expected, strict=True):
            np.testing.assert_allclose(value, reference.numpy(), atol=TOLERANCE)


def build(seed: int, width: int = 8) -> Hilbert:
    torch.manual_seed(seed)
    network = Hilbert(audio_dim=6, text_dim=5, outcomes={"spectrum": 3}, width=width, heads=2, experts=2)
    statistics = [torch.rand(6) + 0.5, torch.rand(6) + 0.5, torch.rand(5) + 0.5, torch.rand(5) + 0.5]
    names = ("audio_mean", "audio_std", "text_mean", "text_std")
    network.standardise_by(**dict(zip(names, statistics, strict=True)))
    return network.eval()


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> NetworkTemplate:
    """The graph of the first network, into which others are put."""
    file = tmp_path_factory.mktemp("template") / "first.onnx"
    export_network(build(1), tasks=["spectrum"], file=file)
    return NetworkTemplate(file, build(1), tasks=["spectrum"])


def test_other_weights_put_into_an_exported_graph_answer_as_their_own_network(
    template: NetworkTemplate, tmp_path: Path
) -> None:
    assert template.write(build(2), tmp_path / "second.onnx") <= 1e-5
    assert template.write(build(1), tmp_path / "again.onnx") <= 1e-5


def test_a_network_of_another_size_does_not_fit_an_exported_graph(template: NetworkTemplate, tmp_path: Path) -> None:
    with pytest.raises(ParityError, match="another size"):
        template.write(build(1, width=16), tmp_path / "large.onnx")


def test_a_graph_names_no_path_of_the_machine_that_exported_it(tmp_path):
    network = Hilbert(audio_dim=6, text_dim=5, outcomes={"spectrum": 3}, width=8, heads=2, experts=2).eval()
    export_network(network, tasks=["spectrum"], file=tmp_path / "network.onnx")
    content = (tmp_path / "network.onnx").read_bytes()
    assert str(Path(__file__).resolve().parents[3]).encode() not in content
    assert b"stack_trace" not in content
