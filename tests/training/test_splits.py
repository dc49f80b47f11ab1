import pytest

from training.config import CohortSettings, SplitSettings
from training.splits import FamilyLeakError, Split, count_outcomes, refuse_leaks, split_by_family
from training.synthetic.speakers import draw_speakers

SPEAKERS = draw_speakers(2, CohortSettings(speakers=240))
FAMILIES = [one.family for one in SPEAKERS]
OUTCOMES = [one.outcome for one in SPEAKERS]


def test_every_row_is_in_exactly_one_part():
    split = split_by_family(FAMILIES, OUTCOMES, SplitSettings())
    assert sorted([*split.train, *split.validation, *split.test]) == list(range(240))


@pytest.mark.parametrize("seed", range(5))
def test_no_family_is_in_two_parts(seed):
    refuse_leaks(split_by_family(FAMILIES, OUTCOMES, SplitSettings(seed=seed)), FAMILIES)


@pytest.mark.parametrize("seed", range(5))
def test_each_part_has_its_share_of_every_outcome(seed):
    counts = count_outcomes(split_by_family(FAMILIES, OUTCOMES, SplitSettings(seed=seed)), OUTCOMES)
    for outcome in set(OUTCOMES):
        wanted = 0.2 * OUTCOMES.count(outcome)
        assert abs(counts["test"][outcome] - wanted) <= 2
        assert abs(counts["validation"][outcome] - wanted) <= 2


def test_another_seed_deals_otherwise_and_the_same_one_alike():
    one, same, other = (split_by_family(FAMILIES, OUTCOMES, SplitSettings(seed=seed)) for seed in (1, 1, 2))
    assert one == same
    assert one != other


def test_nobody_is_tested_when_no_test_part_is_wanted():
    split = split_by_family(FAMILIES, OUTCOMES, SplitSettings(test=0.0))
    assert split.test == ()
    assert len(split.validation) == pytest.approx(48, abs=3)


def test_a_family_across_parts_is_refused():
    leaky = Split(train=(0, 2), validation=(1,), test=())
    with pytest.raises(FamilyLeakError, match="1 families"):
        refuse_leaks(leaky, ["a", "a", "b"])
