import math

import pytest
import torch

from model.network.losses.temperature import LearnedTemperature


def test_it_starts_where_clip_starts() -> None:
    assert LearnedTemperature(cap=30.0)().item() == pytest.approx(1 / 0.07, rel=1e-6)


def test_it_starts_at_the_cap_where_that_is_lower() -> None:
    assert LearnedTemperature(cap=5.0)().item() == pytest.approx(5.0, rel=1e-6)


def test_below_the_cap_its_gradient_is_that_of_an_exponential() -> None:
    temperature = LearnedTemperature(cap=30.0)
    (3 * temperature()).backward()
    assert temperature.theta.grad is not None
    assert temperature.theta.grad.item() == pytest.approx(3 / 0.07, rel=1e-6)


@pytest.mark.parametrize(("push", "moves"), [(1.0, True), (-1.0, False)])
def test_above_the_cap_it_can_only_come_back(push: float, moves: bool) -> None:
    temperature = LearnedTemperature(cap=30.0)
    with torch.no_grad():
        temperature.theta.fill_(math.log(50.0))
    scale = temperature()
    assert scale.item() == 30.0
    (push * scale).backward()
    assert temperature.theta.grad is not None
    assert (temperature.theta.grad.item() > 0) is moves


def test_descent_towards_a_larger_scale_stays_at_the_cap() -> None:
    temperature = LearnedTemperature(cap=20.0)
    optimiser = torch.optim.SGD(temperature.parameters(), lr=0.01)
    for wanted in [-1.0] * 50 + [1.0] * 2:
        optimiser.zero_grad()
        (wanted * temperature()).backward()
        optimiser.step()
        assert temperature().item() <= 20.0
    assert temperature().item() < 20.0
