import torch

from model.network.losses.rows import candidate_mask, masked_mean, zero_absent_rows


def test_candidates_are_oneself_and_the_present_of_other_groups() -> None:
    present = torch.tensor([True, True, True, False])
    person = torch.tensor([4, 4, 9, 9])
    assert candidate_mask(present, [person]).tolist() == [
        [True, False, True, False],
        [False, True, True, False],
        [True, True, True, False],
        [False, False, False, False],
    ]


def test_a_family_widens_the_circle_and_an_unknown_one_does_not() -> None:
    everyone = torch.ones(4, dtype=torch.bool)
    person, family = torch.arange(4), torch.tensor([7, 7, -1, -1])
    found = candidate_mask(everyone, [person, family])
    assert not found[0, 1]
    assert found[2, 3]
    assert torch.equal(found, found.T)


def test_a_mean_takes_only_what_counts() -> None:
    values = torch.tensor([1.0, torch.nan, 3.0])
    assert masked_mean(values, torch.tensor([True, False, True])) == 2.0


def test_a_mean_of_nothing_is_zero_and_still_has_a_graph() -> None:
    values = torch.ones(3, requires_grad=True)
    mean = masked_mean(values, torch.zeros(3, dtype=torch.bool))
    mean.backward()
    assert mean == 0
    assert values.grad is not None
    assert values.grad.tolist() == [0, 0, 0]


def test_absent_rows_get_no_gradient_whatever_they_held() -> None:
    values = torch.tensor([[1.0, 2.0], [torch.nan, torch.inf]], requires_grad=True)
    zero_absent_rows(values, torch.tensor([True, False])).square().sum().backward()
    assert values.grad is not None
    assert values.grad.tolist() == [[2.0, 4.0], [0.0, 0.0]]
