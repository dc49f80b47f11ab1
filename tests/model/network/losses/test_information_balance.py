import math

import pytest
import torch
from torch import Tensor
from torch.nn.functional import normalize

from model.network.losses.information_balance import (
    absolute_gap_loss,
    infonce_bound,
    information_share,
    stop_gradient_gap_loss,
)
from model.network.losses.rows import candidate_mask


def strangers(rows: int) -> Tensor:
    return candidate_mask(torch.ones(rows, dtype=torch.bool), [torch.arange(rows)])


def test_the_bound_for_orthogonal_documents_worked_by_hand() -> None:
    unit = torch.eye(8, dtype=torch.float64)
    # At tau = 0.5 a match has similarity 2 and a rival 0.
    expected = math.log(8) - (math.log(math.e**2 + 7) - 2)
    assert infonce_bound(unit, unit, strangers(8)).item() == pytest.approx(expected)


def test_embeddings_that_tell_nothing_carry_nothing() -> None:
    same = torch.ones(8, 3) / math.sqrt(3)
    assert infonce_bound(same, same, strangers(8)).item() == pytest.approx(0, abs=1e-6)


def test_uninformative_embeddings_have_no_bound_also_with_several_documents_per_person() -> None:
    same = torch.ones(8, 3, dtype=torch.float64) / math.sqrt(3)
    candidates = candidate_mask(torch.ones(8, dtype=torch.bool), [torch.tensor([1, 1, 1, 1, 2, 3, 4, 5])])
    assert infonce_bound(same, same, candidates).item() == pytest.approx(0, abs=1e-12)


def test_a_modality_that_misleads_is_clipped_at_nothing() -> None:
    unit = torch.eye(4)
    assert infonce_bound(unit, unit.roll(1, dims=0), strangers(4)) == 0


@pytest.mark.parametrize("rows", [0, 1])
def test_without_rivals_there_is_no_information_and_no_nan(rows: int) -> None:
    unit = torch.eye(3)[: max(rows, 1)].requires_grad_()
    candidates = strangers(1) if rows else torch.zeros(1, 1, dtype=torch.bool)
    share = information_share(infonce_bound(unit, unit, candidates), torch.tensor(0.0))
    share.backward()
    assert share == 0
    assert unit.grad is not None
    assert torch.isfinite(unit.grad).all()


def test_the_share_is_of_the_most_that_could_be_known() -> None:
    assert information_share(torch.tensor(1.5), torch.tensor(2.0)).item() == 0.75


def test_a_gap_beyond_the_margin_is_squared() -> None:
    found = stop_gradient_gap_loss(torch.tensor(0.25), torch.tensor(0.75), margin=0.05)
    assert found.item() == pytest.approx(0.45**2)


def test_a_gap_within_the_margin_is_left_alone() -> None:
    assert stop_gradient_gap_loss(torch.tensor(0.70), torch.tensor(0.74), margin=0.05) == 0


@pytest.mark.parametrize("stronger", ["audio", "text"])
def test_the_stronger_modality_gets_no_gradient_and_the_weaker_is_lifted(stronger: str) -> None:
    strong = torch.tensor(0.8, requires_grad=True)
    weak = torch.tensor(0.3, requires_grad=True)
    pair = (strong, weak) if stronger == "audio" else (weak, strong)
    stop_gradient_gap_loss(*pair, margin=0.05).backward()
    assert strong.grad is None or strong.grad == 0
    assert weak.grad is not None
    assert weak.grad.item() == pytest.approx(-2 * 0.45)


def test_the_plain_gap_pulls_the_stronger_modality_down() -> None:
    strong, weak = torch.tensor(0.8, requires_grad=True), torch.tensor(0.3, requires_grad=True)
    gap = absolute_gap_loss(strong, weak)
    gap.backward()
    assert gap.item() == pytest.approx(0.5)
    assert strong.grad == 1
    assert weak.grad == -1


def test_the_bound_s_gradient_agrees_with_finite_differences() -> None:
    generator = torch.Generator().manual_seed(3)
    joint = normalize(torch.randn(6, 4, generator=generator, dtype=torch.float64), dim=1)
    modality = (joint + 0.1).clone().requires_grad_()
    joint.requires_grad_()
    assert infonce_bound(modality, joint, strangers(6)) > 0
    assert torch.autograd.gradcheck(lambda m, j: infonce_bound(m, j, strangers(6)), (modality, joint))
