from dataclasses import replace

import numpy as np
import pytest

from training.evaluation.evidence import DocumentEmbeddings, OutOfDistributionPValues
from training.evaluation.out_of_fold import OutOfFoldPredictions
from training.evaluation.representation import measure_neighbours, measure_out_of_distribution

FOUND = OutOfFoldPredictions(
    rows=tuple(range(6)),
    families=("a", "a", "b", "c", "d", "e"),
    outcomes=("none", "ill"),
    labels=np.array([0, 0, 0, 1, 1, -1]),
    probabilities=np.full((1, 6, 2), 0.5),
    fold_of=np.zeros((1, 6), dtype=int),
)
AROUND = np.array([[1, 0], [1, 0.01], [1, 0.2], [0, 1], [0.2, 1], [1, 0]], dtype=float)


def embeddings(fold_of=(0,) * 6, joint=AROUND):
    return DocumentEmbeddings(audio=joint, text=-joint, joint=joint, fold_of=np.array(fold_of))


def test_relatives_and_the_unlabelled_are_no_neighbours():
    *_, joint = measure_neighbours(embeddings(), FOUND)
    assert (joint.embedding, joint.documents, joint.same_outcome) == ("joint", 5, 1.0)
    # Of the family a each has one of three strangers alike, the third document two of four, the others one of four.
    assert joint.chance == pytest.approx((1 / 3 + 1 / 3 + 2 / 4 + 1 / 4 + 1 / 4) / 5)


def test_networks_of_other_folds_are_not_compared():
    *_, joint = measure_neighbours(embeddings((0, 0, 1, 1, 1, 0)), FOUND)
    assert joint.documents == 3
    assert joint.same_outcome == pytest.approx(2 / 3)


def test_a_missing_modality_is_left_out():
    gaps = AROUND.copy()
    gaps[3] = np.nan
    *_, joint = measure_neighbours(embeddings(joint=gaps), FOUND)
    assert joint.documents == 4


def test_without_strangers_there_is_nothing_to_measure():
    found = replace(FOUND, families=("a",) * 6)
    assert {one.same_outcome for one in measure_neighbours(embeddings(), found)} == {None}


def test_odd_documents_are_counted_and_the_missing_ones_apart():
    values = np.array([0.01, 0.04, 0.5, np.nan])
    audio, text = measure_out_of_distribution(OutOfDistributionPValues(audio=values, text=np.full(4, np.nan)))
    assert (audio.documents, audio.missing) == (3, 1)
    assert audio.shares == pytest.approx((1 / 3, 2 / 3, 2 / 3))
    assert (text.documents, text.shares) == (0, ())
