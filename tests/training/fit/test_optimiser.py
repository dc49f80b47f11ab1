import math

import pytest
import torch

from training.config import TrainerSettings
from training.fit.optimiser import clip_by_fold, open_optimiser, read_moments, restore_moments, warm_up_then_cosine


def test_each_fold_is_clipped_by_the_norm_of_all_its_weights():
    torch.manual_seed(0)
    matrices = [torch.randn(3, 4, 5, requires_grad=True), torch.randn(3, 4, requires_grad=True)]
    gradients = [
        torch.randn_like(one) * torch.tensor([0.01, 1.0, 50.0]).view(-1, *[1] * (one.dim() - 1)) for one in matrices
    ]
    for one, gradient in zip(matrices, gradients, strict=True):
        one.grad = gradient.clone()
    clip_by_fold(matrices, 1.0)
    for fold in range(3):
        alone = [torch.nn.Parameter(one.detach()[fold]) for one in matrices]
        for one, gradient in zip(alone, gradients, strict=True):
            one.grad = gradient[fold].clone()
        torch.nn.utils.clip_grad_norm_(alone, 1.0)
        for one, other in zip(matrices, alone, strict=True):
            assert torch.allclose(one.grad[fold], other.grad, atol=1e-6)


def test_a_scalar_a_fold_is_clipped_too():
    theta = torch.tensor([3.0, 0.5], requires_grad=True)
    theta.grad = torch.tensor([10.0, 0.1])
    clip_by_fold([theta], 1.0)
    assert theta.grad.tolist() == pytest.approx([1.0, 0.1], abs=1e-5)


def test_matrices_decay_and_nothing_else():
    weights = {
        "layer.weight": torch.ones(2, 3, 4),
        "norm.weight": torch.ones(2, 4),
        "layer.bias": torch.ones(2, 4),
        "temperature.theta": torch.ones(2),
    }
    weights = {name: value.requires_grad_() for name, value in weights.items()}
    optimiser = open_optimiser(weights, TrainerSettings(weight_decay=0.1, learning_rate=1.0))
    for value in weights.values():
        value.grad = torch.zeros_like(value)
    optimiser.step()
    assert (weights["layer.weight"] < 1).all()
    assert all((value == 1).all() for name, value in weights.items() if name != "layer.weight")


def test_moments_come_back_as_they_were():
    def step(optimiser, weight, gradient):
        weight.grad = gradient.clone()
        optimiser.step()

    torch.manual_seed(1)
    settings, first, second = TrainerSettings(), torch.randn(2, 3, 3), torch.randn(2, 3, 3)
    straight = {"a.weight": torch.ones(2, 3, 3, requires_grad=True)}
    optimiser = open_optimiser(straight, settings)
    step(optimiser, straight["a.weight"], first)
    moments = {name: value.clone() for name, value in read_moments(optimiser, straight).items()}
    resumed = {"a.weight": straight["a.weight"].detach().clone().requires_grad_()}
    step(optimiser, straight["a.weight"], second)
    again = open_optimiser(resumed, settings)
    restore_moments(again, resumed, moments, 1)
    step(again, resumed["a.weight"], second)
    assert torch.equal(resumed["a.weight"], straight["a.weight"])


def test_the_rate_warms_up_and_then_falls_along_a_cosine():
    rates = [warm_up_then_cosine(step, warmup=4, steps=20) for step in range(21)]
    assert rates[:4] == [0.25, 0.5, 0.75, 1.0]
    assert rates[12] == pytest.approx(0.5)
    assert rates[8] == pytest.approx(0.5 * (1 + math.cos(math.pi / 4)))
    assert rates[20] == pytest.approx(0.0)
