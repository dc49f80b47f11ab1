from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from training.errors import FamilyLeakError, OutcomeAbsentError
from training.folds.nested import FoldSettings, check_folds, count_folds, draw_folds

OUTCOMES = ("none", "depressive", "bipolar", "psychotic")
N = 300
CHANCE = np.random.default_rng(0)
FAMILIES = [f"family {number}" for number in CHANCE.integers(0, 150, N)]
LABELS = CHANCE.permutation(np.repeat(np.arange(4), [240, 36, 18, 6]))
FOLDS = draw_folds(FAMILIES, LABELS, OUTCOMES, FoldSettings())


def test_there_are_twenty_five_folds_with_three_inner_ones_each():
    assert [(fold.repeat, fold.number) for fold in FOLDS] == [(r, f) for r in range(5) for f in range(5)]
    assert {len(fold.inner) for fold in FOLDS} == {3}


def test_every_document_is_tested_once_in_each_repeat():
    for repeat in range(5):
        tested = [row for fold in FOLDS if fold.repeat == repeat for row in fold.test]
        assert sorted(tested) == list(range(N))


def test_training_and_test_part_make_up_the_cohort():
    assert all(sorted([*fold.train, *fold.test]) == list(range(N)) for fold in FOLDS)


def test_inner_folds_lie_within_their_training_part():
    for fold in FOLDS:
        for split in fold.inner:
            assert sorted([*split.train, *split.validation]) == sorted(fold.train)
            assert split.test == fold.test
        validated = Counter(row for split in fold.inner for row in split.validation)
        assert validated == Counter(fold.train)


def test_no_family_is_in_two_parts():
    for fold in FOLDS:
        for part, other in [(fold.train, fold.test), *((one.train, one.validation) for one in fold.inner)]:
            assert not {FAMILIES[row] for row in part} & {FAMILIES[row] for row in other}


def test_each_test_part_has_its_share_of_every_outcome():
    for found in count_folds(FOLDS, LABELS, OUTCOMES):
        if found.part == "test":
            assert found.by_outcome == tuple(
                pytest.approx(share, abs=max(2, share / 4)) for share in (48, 7.2, 3.6, 1.2)
            )


def test_each_part_is_counted():
    counted = count_folds(FOLDS, LABELS, OUTCOMES)
    assert len(counted) == 25 * (2 + 3 * 2)
    assert all(one.documents == sum(one.by_outcome) for one in counted)
    assert all(min(one.by_outcome) >= 1 for one in counted)


def test_another_seed_gives_other_folds_and_the_same_seed_equal_folds():
    one, same, other = (
        draw_folds(FAMILIES, LABELS, OUTCOMES, FoldSettings(seed=seed, repeats=1)) for seed in (1, 1, 2)
    )
    assert one == same
    assert one != other


def test_repeats_differ():
    assert len({fold.test for fold in FOLDS}) == 25


def test_documents_without_a_label_are_dealt_too():
    labels = LABELS.copy()
    labels[np.flatnonzero(LABELS == 0)[:3]] = -1
    folds = draw_folds(FAMILIES, labels, OUTCOMES, FoldSettings(repeats=1))
    assert sorted(row for fold in folds for row in fold.test) == list(range(N))


def test_an_outcome_in_too_few_families_is_refused_by_name():
    labels = np.array([0] * 20 + [1] * 4)
    with pytest.raises(OutcomeAbsentError, match="ill is found in 4 families, fewer than the 5 folds"):
        draw_folds([str(row) for row in range(24)], labels, ("none", "ill"), FoldSettings())


def test_many_cases_in_few_families_are_as_good_as_few():
    families = [str(row) for row in range(20)] + ["large"] * 10
    with pytest.raises(OutcomeAbsentError, match="ill is found in 1 families"):
        draw_folds(families, np.array([0] * 20 + [1] * 10), ("none", "ill"), FoldSettings())


def test_an_outcome_absent_from_a_part_is_refused_by_name():
    rare = {row for row in FOLDS[0].test if LABELS[row] == 3}
    poorer = replace(FOLDS[0], test=tuple(row for row in FOLDS[0].test if row not in rare))
    with pytest.raises(OutcomeAbsentError, match=r"fold 1: the test part of .* has no case of psychotic"):
        check_folds([poorer], FAMILIES, LABELS, OUTCOMES)


def test_an_outcome_too_rare_for_the_inner_folds_is_refused():
    labels = np.array([0] * 40 + [1] * 5)
    with pytest.raises(OutcomeAbsentError, match=r"inner .* has no case of ill"):
        draw_folds([str(row) for row in range(45)], labels, ("none", "ill"), FoldSettings(inner=5))


def test_a_family_across_outer_parts_is_refused():
    leaking = replace(FOLDS[0], test=(*FOLDS[0].test, FOLDS[0].train[0]))
    with pytest.raises(FamilyLeakError):
        check_folds([leaking], FAMILIES, LABELS, OUTCOMES)


def test_a_family_across_inner_parts_is_refused():
    inner = FOLDS[0].inner[0]
    leaking = replace(inner, validation=(*inner.validation, inner.train[0]))
    with pytest.raises(FamilyLeakError):
        check_folds([replace(FOLDS[0], inner=(leaking,))], FAMILIES, LABELS, OUTCOMES)
