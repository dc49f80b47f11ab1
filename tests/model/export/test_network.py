from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from model.bundle.graph import INPUTS
from model.errors import ParityError
from model.export.network import TOLERANCE, NetworkGraph, export_network, template_of
from model.network.hilbert import Hilbert

OUTCOMES = {"spectrum": 4, "role": 2}
TASKS = tuple(OUTCOMES)


def build(seed: int, width: int = 16) -> Hilbert:
    torch.manual_seed(seed)
    network = Hilbert(audio_dim=12, text_dim=10, outcomes=OUTCOMES, width=width, heads=2)
    statistics = [torch.rand(dim) + 0.5 for dim in (12, 12, 10, 10)]
    names = ("audio_mean", "audio_std", "text_mean", "text_std")
    network.standardise_by(**dict(zip(names, statistics, strict=True)))
    return network.eval()


def test_networks_that_are_built_alike_share_an_export_and_answer_as_themselves(tmp_path: Path) -> None:
    networks = {seed: build(seed) for seed in (1, 2)}
    random_numbers = torch.get_rng_state()
    template_of.cache_clear()
    for seed in (1, 2, 1):
        assert export_network(networks[seed], tasks=TASKS, file=tmp_path / f"{seed}.onnx") <= TOLERANCE
    assert (template_of.cache_info().misses, template_of.cache_info().hits) == (1, 2)
    assert (tmp_path / "1.onnx").read_bytes() != (tmp_path / "2.onnx").read_bytes()
    assert torch.equal(torch.get_rng_state(), random_numbers)  # a training goes on as if nothing had been exported


def test_the_graph_agrees_with_torch_and_has_free_axes(tmp_path: Path) -> None:
    network = build(0)
    worst = export_network(network, tasks=TASKS, file=tmp_path / "network.onnx")
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
            expected = NetworkGraph(network, TASKS)(*(torch.from_numpy(feed[name]) for name in INPUTS))
        for value, reference in zip(session.run(None, feed), expected, strict=True):
            np.testing.assert_allclose(value, reference.numpy(), atol=TOLERANCE)


def test_equal_weights_are_distinguished(tmp_path: Path) -> None:
    network = build(1)
    for value in network.parameters():
        value.data.fill_(0.1)
    assert export_network(network, tasks=TASKS, file=tmp_path / "equal.onnx") <= TOLERANCE


def test_a_network_of_another_size_does_not_fit_an_exported_graph(tmp_path: Path) -> None:
    template = template_of(build(1).architecture, TASKS)
    with pytest.raises(ParityError, match="dimensions of the network differ"):
        template.write(build(1, width=8), tmp_path / "large.onnx")


def test_a_graph_names_no_path_of_the_machine_that_exported_it(tmp_path):
    export_network(build(1), tasks=TASKS, file=tmp_path / "network.onnx")
    content = (tmp_path / "network.onnx").read_bytes()
    assert str(Path(__file__).resolve().parents[3]).encode() not in content
    assert b"stack_trace" not in content
