import math

import pytest
import torch
from torch import Tensor

from model.network.losses.router import load_balancing_loss, router_z_loss

ALL = torch.ones(5, dtype=torch.bool)


def slow_load(logits: Tensor, present: Tensor) -> float:
    loads = [0.0] * logits.shape[1]
    for row, counts in zip(logits.tolist(), present.tolist(), strict=True):
        if counts:
            total = sum(math.exp(value) for value in row)
            loads = [load + math.exp(value) / total for load, value in zip(loads, row, strict=True)]
    mean = sum(loads) / len(loads)
    return sum((load - mean) ** 2 for load in loads) / len(loads) / mean**2


def test_experts_that_share_evenly_cost_nothing() -> None:
    assert load_balancing_loss(torch.zeros(5, 4), ALL).item() == pytest.approx(0, abs=1e-10)


def test_one_expert_that_carries_all_costs_one_less_than_there_are() -> None:
    logits = torch.tensor([[50.0, 0.0, 0.0, 0.0]]).expand(5, 4)
    assert load_balancing_loss(logits, ALL).item() == pytest.approx(3)


def test_load_and_z_equal_a_loop_over_the_documents() -> None:
    torch.manual_seed(0)
    logits, present = torch.randn(5, 3, dtype=torch.float64), torch.tensor([True, False, True, True, False])
    assert load_balancing_loss(logits, present).item() == pytest.approx(slow_load(logits, present))
    rows = [logits[i].tolist() for i in (0, 2, 3)]
    expected = sum(math.log(sum(math.exp(value) for value in row)) ** 2 for row in rows) / 3
    assert router_z_loss(logits, present).item() == pytest.approx(expected)


def test_logits_of_zero_have_the_z_worked_by_hand() -> None:
    assert router_z_loss(torch.zeros(5, 4), ALL).item() == pytest.approx(math.log(4) ** 2)


def test_gradients_agree_with_finite_differences() -> None:
    torch.manual_seed(0)
    logits, present = torch.randn(5, 3, dtype=torch.float64, requires_grad=True), torch.tensor([True] * 4 + [False])
    assert torch.autograd.gradcheck(lambda x: load_balancing_loss(x, present), (logits,))
    assert torch.autograd.gradcheck(lambda x: router_z_loss(x, present), (logits,))


def test_padding_never_counts() -> None:
    torch.manual_seed(0)
    logits, present = torch.randn(5, 3), torch.tensor([True, True, True, False, False])
    stray = torch.where(present[:, None], logits, torch.nan).requires_grad_()
    for loss in (load_balancing_loss, router_z_loss):
        torch.testing.assert_close(loss(stray, present), loss(logits[:3], ALL[:3]))
        (gradient,) = torch.autograd.grad(loss(stray, present), stray)
        assert torch.isfinite(gradient).all()
        assert gradient[3:].abs().sum() == 0


def test_a_batch_of_padding_costs_nothing() -> None:
    logits = torch.randn(5, 3, requires_grad=True)
    loss = load_balancing_loss(logits, ~ALL) + router_z_loss(logits, ~ALL)
    loss.backward()
    assert loss == 0
    assert logits.grad is not None
    assert logits.grad.abs().sum() == 0
