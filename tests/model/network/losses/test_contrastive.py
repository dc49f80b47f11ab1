import math

import pytest
import torch
from torch import Tensor
from torch.nn.functional import normalize

from model.network.losses.contrastive import contrastive_loss, log_candidate_count, recall_at_1
from model.network.losses.rows import candidate_mask


def units(rows: int, width: int = 5, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return normalize(torch.randn(rows, width, generator=generator, dtype=torch.float64), dim=1)


def strangers(rows: int) -> Tensor:
    return candidate_mask(torch.ones(rows, dtype=torch.bool), [torch.arange(rows)])


def mixed() -> Tensor:
    """Seven documents: the third and sixth are absent, the first and fifth one person's."""
    present = torch.tensor([True, True, False, True, True, False, True])
    return candidate_mask(present, [torch.tensor([1, 2, 3, 4, 1, 6, 7])])


def slow_contrast(anchor: Tensor, target: Tensor, candidates: Tensor, scale: float) -> float:
    """One document, one direction and one rival at a time."""
    present = [i for i in range(len(anchor)) if candidates[i, i]]
    losses = []
    for one, other in ((anchor, target), (target, anchor)):
        for i in present:
            odds = [math.exp(scale * float(one[i] @ other[k])) for k in range(len(anchor)) if candidates[i, k]]
            losses.append(math.log(sum(odds)) - scale * float(one[i] @ other[i]))
    return sum(losses) / len(losses)


@pytest.mark.parametrize("scale", [1.0, 1 / 0.07, 30.0])
def test_it_equals_a_loop_over_documents_directions_and_rivals(scale: float) -> None:
    anchor, target = units(7, seed=1), units(7, seed=2)
    found = contrastive_loss(anchor, target, mixed(), scale)
    assert found.item() == pytest.approx(slow_contrast(anchor, target, mixed(), scale), rel=1e-9)


def test_orthogonal_documents_have_the_loss_worked_by_hand() -> None:
    unit = torch.eye(4, dtype=torch.float64)
    found = contrastive_loss(unit, unit, strangers(4), 2.0)
    assert found.item() == pytest.approx(math.log(math.e**2 + 3) - 2)


def test_embeddings_that_tell_nothing_lose_the_log_of_the_choices() -> None:
    same = torch.ones(6, 3, dtype=torch.float64) / math.sqrt(3)
    assert contrastive_loss(same, same, strangers(6), 14.0).item() == pytest.approx(math.log(6))
    assert log_candidate_count(strangers(6)).item() == pytest.approx(math.log(6))


def test_the_number_of_choices_leaves_out_relations() -> None:
    # Two of the five present documents are one person's: those two choose among four.
    assert log_candidate_count(mixed()).item() == pytest.approx((2 * math.log(4) + 3 * math.log(5)) / 5)


def test_gradients_agree_with_finite_differences() -> None:
    anchor, target = units(7, seed=1).requires_grad_(), units(7, seed=2).requires_grad_()
    scale = torch.tensor(5.0, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda a, t, s: contrastive_loss(a, t, mixed(), s), (anchor, target, scale))


def test_a_masked_pair_never_counts() -> None:
    """Two documents of one person may lie anywhere to each other: only the others feel it."""
    candidates = candidate_mask(torch.ones(2, dtype=torch.bool), [torch.tensor([5, 5])])
    anchor, target = units(2, seed=1).requires_grad_(), units(2, seed=2).requires_grad_()
    loss = contrastive_loss(anchor, target, candidates, 9.0)
    loss.backward()
    assert loss.item() == pytest.approx(0, abs=1e-12)
    assert anchor.grad is not None
    assert anchor.grad.abs().max() < 1e-12


def test_absent_rows_change_nothing_and_get_no_gradient() -> None:
    anchor, target = units(7, seed=1), units(7, seed=2)
    absent = ~mixed().diagonal()
    clean = contrastive_loss(anchor, target, mixed(), 9.0)
    dirty = anchor.clone()
    dirty[absent] = torch.nan
    dirty.requires_grad_()
    loss = contrastive_loss(dirty, target, mixed(), 9.0)
    loss.backward()
    assert loss.item() == pytest.approx(clean.item(), rel=1e-12)
    assert dirty.grad is not None
    assert torch.isfinite(dirty.grad).all()
    assert dirty.grad[absent].abs().sum() == 0


def test_order_does_not_matter_and_neither_does_direction() -> None:
    anchor, target, order = units(7, seed=1), units(7, seed=2), torch.tensor([3, 0, 6, 2, 5, 1, 4])
    loss = contrastive_loss(anchor, target, mixed(), 9.0)
    shuffled = contrastive_loss(anchor[order], target[order], mixed()[order][:, order], 9.0)
    torch.testing.assert_close(shuffled, loss)
    torch.testing.assert_close(contrastive_loss(target, anchor, mixed(), 9.0), loss)


def test_recall_counts_those_whose_own_target_is_nearest() -> None:
    target = torch.eye(3)
    anchor = torch.tensor([[1.0, 0.0, 0.0], [0.9, 0.1, 0.0], [0.0, 0.0, 1.0]])
    recall = recall_at_1(anchor, target, strangers(3))
    assert recall.at_1.item() == pytest.approx(2 / 3)
    assert recall.chance.item() == pytest.approx(1 / 3)


def test_a_collapsed_space_has_no_recall() -> None:
    same = torch.ones(5, 2)
    assert recall_at_1(same, same, strangers(5)).at_1 == 0


def test_a_relation_is_no_rival() -> None:
    target, anchor = torch.eye(3), torch.tensor([[0.4, 0.6, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    candidates = candidate_mask(torch.ones(3, dtype=torch.bool), [torch.tensor([1, 1, 2])])
    assert recall_at_1(anchor, target, candidates).at_1 == 1
    assert recall_at_1(anchor, target, strangers(3)).at_1.item() == pytest.approx(2 / 3)


def test_recall_without_rivals_was_not_measured() -> None:
    recall = recall_at_1(units(1), units(1), strangers(1))
    assert recall.at_1.isnan()
    assert recall.chance.isnan()
