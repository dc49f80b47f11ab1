import itertools
import math

import pytest
import torch
from torch import Tensor

from model.network.losses.cka import CkaEstimator, _hsic_unbiased, cka, cka_loss

ALL = {n: torch.ones(n, dtype=torch.bool) for n in (9, 10, 12, 32, 64, 128, 200)}


def normal(rows: int, width: int, seed: int, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(rows, width, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def slow_hsic(x: Tensor, y: Tensor) -> float:
    """Mean over all ordered quadruples of distinct rows, the U-statistic itself (Song et al. 2012, eq. 4)."""
    k, l_ = (x @ x.T).tolist(), (y @ y.T).tolist()
    n = len(k)
    total = sum(k[i][j] * (l_[i][j] + l_[q][r] - 2 * l_[i][q]) for i, j, q, r in itertools.permutations(range(n), 4))
    return total / math.perm(n, 4)


def test_the_unbiased_estimate_is_the_mean_over_quadruples_of_rows() -> None:
    x, y = normal(9, 3, seed=1), normal(9, 4, seed=2)
    hsic = _hsic_unbiased(x @ x.T, y @ y.T, torch.tensor(9.0, dtype=torch.float64))
    assert hsic.item() == pytest.approx(slow_hsic(x, y), rel=1e-9)
    expected = slow_hsic(x, y) / math.sqrt(slow_hsic(x, x) * slow_hsic(y, y))
    assert cka(x, y, ALL[9]).item() == pytest.approx(expected, rel=1e-9)


def test_the_biased_estimate_is_the_textbook_s() -> None:
    x, y = normal(10, 3, seed=1), normal(10, 4, seed=2)
    centring = torch.eye(10, dtype=torch.float64) - 0.1
    k, l_ = centring @ x @ x.T @ centring, centring @ y @ y.T @ centring
    expected = (k * l_).sum() / (k.norm() * l_.norm())
    torch.testing.assert_close(cka(x, y, ALL[10], estimator="biased"), expected)


@pytest.mark.parametrize("estimator", ["unbiased", "biased"])
def test_a_rotated_scaled_and_shifted_copy_is_the_same_geometry(estimator: CkaEstimator) -> None:
    x = normal(12, 5, seed=1)
    rotation = torch.linalg.qr(normal(5, 5, seed=2)).Q
    found = cka(x, 300 * x @ rotation + 7, ALL[12], estimator=estimator)
    assert found.item() == pytest.approx(1, abs=1e-9)
    assert cka_loss(x, 300 * x @ rotation + 7, ALL[12], estimator=estimator).item() == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize(("rows", "inflated"), [(32, 0.89), (64, 0.80), (128, 0.67)])
def test_independent_data_look_alike_to_the_biased_estimate_alone(rows: int, inflated: float) -> None:
    pairs = [(normal(rows, 256, seed), normal(rows, 256, seed + 1000)) for seed in range(6)]
    biased = sum(cka(x, y, ALL[rows], estimator="biased").item() for x, y in pairs) / len(pairs)
    unbiased = sum(cka(x, y, ALL[rows]).item() for x, y in pairs) / len(pairs)
    assert biased == pytest.approx(inflated, abs=0.01)
    assert unbiased == pytest.approx(0, abs=0.03)


@pytest.mark.parametrize("estimator", ["unbiased", "biased"])
def test_gradients_agree_with_finite_differences(estimator: CkaEstimator) -> None:
    present = torch.tensor([True] * 9 + [False])
    x, y = normal(10, 3, seed=1).requires_grad_(), normal(10, 2, seed=2).requires_grad_()
    assert torch.autograd.gradcheck(lambda a, b: cka(a, b, present, estimator=estimator), (x, y))


@pytest.mark.parametrize("estimator", ["unbiased", "biased"])
def test_absent_rows_are_as_good_as_not_there(estimator: CkaEstimator) -> None:
    x, y = normal(12, 3, seed=1), normal(12, 4, seed=2)
    present = torch.ones(12, dtype=torch.bool)
    present[[2, 7, 11]] = False
    expected = cka(x[present], y[present], ALL[9], estimator=estimator)
    x[~present], y[~present] = torch.nan, torch.inf
    x.requires_grad_()
    found = cka(x, y, present, estimator=estimator)
    torch.testing.assert_close(found, expected)
    found.backward()
    assert x.grad is not None
    assert torch.isfinite(x.grad).all()
    assert x.grad[~present].abs().sum() == 0


@pytest.mark.parametrize("rows", range(1, 9))
def test_below_eight_rows_it_steps_aside_with_a_finite_gradient(rows: int) -> None:
    x, y = normal(rows, 3, seed=1).requires_grad_(), normal(rows, 4, seed=2)
    lost = cka_loss(x, y, torch.ones(rows, dtype=torch.bool))
    lost.backward()
    assert x.grad is not None
    assert torch.isfinite(x.grad).all()
    assert (lost.item() == 0) is (rows < 8)
    assert (x.grad.abs().sum().item() == 0) is (rows < 8)


def test_it_is_the_present_rows_that_must_be_eight() -> None:
    x, y = normal(12, 3, seed=1), normal(12, 4, seed=2)
    present = torch.arange(12) < 7
    assert cka(x, y, present) == 0
    assert cka_loss(x, y, present) == 0


@pytest.mark.parametrize("place", [0.0, 1.0, 1000.0])
def test_a_space_collapsed_to_a_point_aligns_with_nothing(place: float) -> None:
    x = torch.full((12, 3), place).requires_grad_()
    y = normal(12, 4, seed=2, dtype=torch.float32)
    found = cka(x, y, ALL[12])
    found.backward()
    assert found.item() == pytest.approx(0, abs=1e-3)
    assert x.grad is not None
    assert torch.isfinite(x.grad).all()


def test_single_precision_is_enough_far_from_the_origin() -> None:
    x = normal(200, 16, seed=1)
    y = x @ normal(16, 16, seed=3) + normal(200, 16, seed=2)
    exact = cka(x + 20, y + 20, ALL[200])
    assert cka((x + 20).float(), (y + 20).float(), ALL[200]).item() == pytest.approx(exact.item(), abs=1e-4)


def test_order_does_not_matter() -> None:
    x, y, order = normal(12, 3, seed=1), normal(12, 4, seed=2), torch.randperm(12)
    torch.testing.assert_close(cka(x[order], y[order], ALL[12]), cka(x, y, ALL[12]))
    torch.testing.assert_close(cka(y, x, ALL[12]), cka(x, y, ALL[12]))
