import math
from pathlib import Path

import numpy as np
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper, save
from torch.nn.functional import cross_entropy

from model.bundle.bundle import Bundle
from model.bundle.graph import INPUTS, logits_name
from model.bundle.manifest import NETWORK, Calibration, Manifest, Task, TaskCalibration
from model.encoders.runtime import RuntimeOptions
from model.features import SegmentFeatures
from model.network.losses.task import TaskLoss, task_loss
from model.scoring import Scorer

PRIOR = (0.8, 0.15, 0.05)
LOG_PRIOR = torch.tensor(PRIOR, dtype=torch.float64).log()
LABELS = torch.tensor([0, -1, 2, 1, -1])


def risk(logits: torch.Tensor, log_prior: torch.Tensor, adjustment: float, temperature: float = 1.0) -> torch.Tensor:
    """What a bundle reports, by hand: softmax((o + tau_la log pi) / T), docs/method.md (K1)."""
    return torch.softmax((logits + adjustment * log_prior) / temperature, dim=-1)


def logits(seed: int = 0) -> torch.Tensor:
    return torch.randn(5, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("adjustment", [0.0, 1.0])
def test_it_equals_a_loop_over_the_labelled_documents(adjustment: float) -> None:
    total = 0.0
    for row, label in zip(logits().tolist(), LABELS.tolist(), strict=True):
        if label >= 0:
            odds = [math.exp(value) * share**adjustment for value, share in zip(row, PRIOR, strict=True)]
            total -= math.log(odds[label] / sum(odds))
    assert task_loss(logits(), LABELS, LOG_PRIOR, adjustment).item() == pytest.approx(total / 3)


def test_unadjusted_it_is_torch_s_cross_entropy() -> None:
    expected = cross_entropy(logits(), LABELS, ignore_index=-1)
    torch.testing.assert_close(task_loss(logits(), LABELS, LOG_PRIOR, 0.0), expected)


def test_adjusted_logits_of_zero_lose_the_entropy_of_the_shares() -> None:
    labels = torch.tensor([0] * 16 + [1] * 3 + [2])
    entropy = -sum(share * math.log(share) for share in PRIOR)
    found = task_loss(torch.zeros(20, 3, dtype=torch.float64), labels, LOG_PRIOR, 1.0)
    assert found.item() == pytest.approx(entropy)


def test_gradients_agree_with_finite_differences() -> None:
    assert torch.autograd.gradcheck(lambda o: task_loss(o, LABELS, LOG_PRIOR, 1.0), (logits().requires_grad_(),))


def test_a_batch_without_a_label_gives_a_zero_that_has_a_graph() -> None:
    given = logits().requires_grad_()
    loss = task_loss(given, torch.full((5,), -1), LOG_PRIOR, 1.0)
    loss.backward()
    assert loss == 0
    assert given.grad is not None
    assert given.grad.abs().sum() == 0


def test_a_document_without_a_label_gets_no_gradient() -> None:
    given = logits().requires_grad_()
    task_loss(given, LABELS, LOG_PRIOR, 1.0).backward()
    assert given.grad is not None
    assert (given.grad.abs().sum(dim=1) > 0).tolist() == (LABELS >= 0).tolist()


def test_order_does_not_matter() -> None:
    order = torch.tensor([4, 2, 0, 1, 3])
    loss = task_loss(logits(), LABELS, LOG_PRIOR, 1.0)
    torch.testing.assert_close(task_loss(logits()[order], LABELS[order], LOG_PRIOR, 1.0), loss)


def test_adjusted_training_that_fits_perfectly_reports_the_true_risk() -> None:
    """The loss is least where softmax(o + log pi) is the truth, and that is what `risk` returns."""
    truth = torch.tensor([[0.6, 0.3, 0.1]], dtype=torch.float64)
    fitted = truth.log() - LOG_PRIOR
    torch.testing.assert_close(risk(fitted, LOG_PRIOR, adjustment=1.0), truth)
    assert fitted.argmax() != truth.argmax()


def write_small_graph(file: Path) -> None:
    """A graph with a network's inputs whose logits are the summed audio features times a matrix."""
    inputs = [helper.make_tensor_value_info(name, kind_of(name), None) for name in INPUTS]
    output = helper.make_tensor_value_info(logits_name("spectrum"), TensorProto.FLOAT, None)
    weights = np.random.default_rng(1).standard_normal((6, 3)).astype(np.float32)
    constants = [numpy_helper.from_array(weights, "weights"), numpy_helper.from_array(np.array([1]), "segments")]
    nodes = [
        helper.make_node("ReduceSum", ["audio_features", "segments"], ["pooled"], keepdims=0),
        helper.make_node("MatMul", ["pooled", "weights"], [logits_name("spectrum")]),
    ]
    graph = helper.make_graph(nodes, "small", inputs, [output], constants)
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10), file)


def kind_of(name: str) -> int:
    return TensorProto.FLOAT if name.endswith(("features", "times")) else TensorProto.BOOL


@pytest.mark.parametrize("adjustment", [0.0, 1.0])
def test_the_risk_is_the_one_that_is_served(tmp_path: Path, adjustment: float) -> None:
    write_small_graph(tmp_path / NETWORK)
    calibrated = TaskCalibration(temperature=1.7, prior=PRIOR, adjustment=adjustment)
    task = Task(name="spectrum", outcomes=("none", "mild", "severe"))
    bundle = Bundle(
        folder=tmp_path,
        digest="",
        manifest=Manifest(name="small", version="0", demonstration=True, tasks=(task,), encoders={}, files={}),
        calibration=Calibration(tasks={"spectrum": calibrated}, audio_mean=(0.0,) * 6, text_mean=(0.0,) * 5),
    )
    scorer, generator = Scorer(bundle, RuntimeOptions(threads=1)), np.random.default_rng(0)
    document = SegmentFeatures(
        indices=np.arange(4),
        times=np.arange(4, dtype=np.float32) * 20,
        audio=generator.standard_normal((4, 6)).astype(np.float32),
        text=generator.standard_normal((4, 5)).astype(np.float32),
        audio_mask=np.ones(4, dtype=np.bool_),
        text_mask=np.ones(4, dtype=np.bool_),
    )
    raw = torch.from_numpy(scorer.logits([document], "spectrum")).double()
    found = risk(raw, LOG_PRIOR, adjustment=adjustment, temperature=1.7)
    np.testing.assert_allclose(found.numpy(), scorer.risks([document], "spectrum"), rtol=1e-9)


@pytest.mark.parametrize("prior", [(1.0, 0.0), (0.5, 0.4), (-0.5, 1.5)])
def test_shares_that_cannot_be_are_refused(prior: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="above 0 and sum to 1"):
        TaskLoss(prior, adjustment=1.0)


def test_a_task_keeps_its_shares_as_a_buffer() -> None:
    loss = TaskLoss(PRIOR, adjustment=1.0).double()
    assert list(loss.state_dict()) == ["log_prior"]
    torch.testing.assert_close(loss(logits(), LABELS), task_loss(logits(), LABELS, LOG_PRIOR, 1.0), rtol=1e-6, atol=0)
