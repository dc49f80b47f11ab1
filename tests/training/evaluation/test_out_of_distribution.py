from dataclasses import replace

import numpy as np
import pytest
from sklearn.covariance import LedoitWolf

from model.features import SegmentFeatures
from training.evaluation.out_of_distribution import (
    average_segments,
    fit_reference_distribution,
    measure_distances,
    p_values,
)


def document(audio, text, audio_mask, text_mask):
    n = len(audio)
    return SegmentFeatures(
        indices=np.arange(n),
        times=np.zeros(n, dtype=np.float32),
        audio=np.array(audio, dtype=np.float32),
        text=np.array(text, dtype=np.float32),
        audio_mask=np.array(audio_mask),
        text_mask=np.array(text_mask),
    )


def test_segments_are_averaged_where_they_are_valid():
    found = average_segments(
        [
            document([[1, 2], [3, 4], [99, 99]], [[1], [2], [3]], [True, True, False], [True] * 3),
            document([[5, 6]], [[0]], [True], [False]),
        ]
    )
    assert found.audio.tolist() == [[2, 3], [5, 6]]
    assert found.text[0].tolist() == [2]
    assert np.isnan(found.text[1]).all()


def test_with_plenty_of_documents_the_distance_is_the_textbook_s():
    chance = np.random.default_rng(0)
    mixing = np.array([[2.0, 0.0], [1.0, 0.5]])
    features = chance.normal(size=(20000, 2)) @ mixing.T + [3, -1]
    reference = fit_reference_distribution(features, features[:10])
    point = np.array([[5.0, 1.0]])
    offset = point[0] - [3, -1]
    expected = np.sqrt(offset @ np.linalg.inv(mixing @ mixing.T) @ offset)
    assert measure_distances(reference, point)[0] == pytest.approx(expected, rel=0.03)


def test_the_covariance_is_scikit_learn_s():
    features = np.random.default_rng(1).normal(size=(30, 50))
    reference = fit_reference_distribution(features, features[:5])
    standard = (features - features.mean(axis=0)) / features.std(axis=0)
    fitted = LedoitWolf().fit(standard)
    assert reference.shrinkage == pytest.approx(fitted.shrinkage_)
    assert measure_distances(reference, features) ** 2 == pytest.approx(fitted.mahalanobis(standard))


def test_p_values_are_ranks_among_the_calibration_documents():
    reference = fit_reference_distribution(np.random.default_rng(0).normal(size=(50, 1)), np.zeros((1, 1)))
    reference = replace(reference, mean=np.zeros(1), scale=np.ones(1), precision=np.eye(1))
    reference = replace(reference, distances=np.array([1.0, 2.0, 3.0, 4.0]))
    found = p_values(reference, np.array([[0.0], [2.0], [-3.5], [9.0], [np.nan]]))
    assert found[:4].tolist() == [1.0, 4 / 5, 2 / 5, 1 / 5]
    assert np.isnan(found[4])


def test_documents_like_the_training_ones_are_flagged_as_often_as_promised():
    chance = np.random.default_rng(2)
    rates = []
    for _ in range(25):
        draw = chance.normal(size=(240, 90)) @ np.diag(np.linspace(0.2, 3, 90))
        reference = fit_reference_distribution(draw[:60], draw[60:100])  # fewer documents than dimensions
        rates.append((p_values(reference, draw[100:]) <= 0.1).mean())
    assert np.mean(rates) == pytest.approx(4 / 41, abs=0.02)


def test_a_document_from_elsewhere_gets_the_smallest_p_value():
    chance = np.random.default_rng(3)
    reference = fit_reference_distribution(chance.normal(size=(60, 90)), chance.normal(size=(39, 90)))
    assert p_values(reference, np.full((1, 90), 2.0))[0] == 1 / 40


def test_a_feature_that_never_varies_does_no_harm():
    features = np.random.default_rng(4).normal(size=(30, 3))
    features[:, 1] = 7.0
    reference = fit_reference_distribution(features[:20], features[20:])
    assert np.isfinite(p_values(reference, features)).all()


def test_documents_without_the_modality_are_left_out():
    features = np.random.default_rng(5).normal(size=(30, 3))
    gaps = np.vstack([features, np.full((4, 3), np.nan)])
    reference = fit_reference_distribution(gaps, gaps)
    assert len(reference.distances) == 30
    assert reference.mean == pytest.approx(features.mean(axis=0))


def test_a_reference_distribution_without_documents_is_refused():
    known, unknown = np.random.default_rng(6).normal(size=(5, 3)), np.full((5, 3), np.nan)
    with pytest.raises(ValueError, match="calibration document"):
        fit_reference_distribution(known, unknown)
    with pytest.raises(ValueError, match="two training documents"):
        fit_reference_distribution(unknown, known)
