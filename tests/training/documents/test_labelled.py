from dataclasses import replace

import numpy as np

from tests.training.planted import AUDIO_DIM, plant_document
from training.cohort.cohort import MISSING
from training.documents.labelled import digest_documents, measure_features, pad_documents, read_labels


def test_a_short_document_is_padded_and_masked():
    batch = pad_documents([plant_document(1, segments=2).features, plant_document(2, segments=5).features])
    assert batch.audio_features.shape == (2, 5, AUDIO_DIM)
    assert batch.audio_mask.sum(dim=1).tolist() == [2, 5]
    assert not batch.audio_features[0, 2:].any()


def test_documents_are_padded_to_a_given_length():
    batch = pad_documents([plant_document(1, segments=2).features], segments=7)
    assert batch.audio_features.shape == (1, 7, AUDIO_DIM)
    assert batch.text_mask.sum() == 2


def test_times_are_those_of_the_segments():
    batch = pad_documents([plant_document(1, segments=3).features])
    assert batch.audio_times.tolist() == batch.text_times.tolist() == [[10.0, 30.0, 50.0]]


def test_a_modality_without_a_segment_is_not_present():
    documents = [plant_document(1), plant_document(2, audio=False), plant_document(3, text=False)]
    batch = pad_documents([one.features for one in documents])
    assert batch.audio_present.tolist() == [True, False, True]
    assert batch.text_present.tolist() == [True, True, False]


def test_a_document_without_segments_still_has_a_position():
    batch = pad_documents([plant_document(1, segments=0).features])
    assert batch.audio_features.shape == (1, 1, AUDIO_DIM)
    assert not batch.audio_mask.any()


def test_a_label_without_a_value_is_missing():
    known = plant_document(1, label=1)
    assert read_labels([known, replace(known, labels={})], "spectrum").tolist() == [1, MISSING]


def test_the_digest_follows_whatever_training_reads():
    one = plant_document(1)
    assert digest_documents([one]) == digest_documents([plant_document(1)])
    louder = replace(one, features=replace(one.features, audio=one.features.audio + 1))
    for other in (replace(one, family="f9"), replace(one, person="p9"), replace(one, labels={"spectrum": 1}), louder):
        assert digest_documents([other]) != digest_documents([one])
    assert digest_documents([one, louder]) != digest_documents([louder, one])


def test_statistics_read_valid_segments_only():
    present, absent = plant_document(1, segments=4), plant_document(2, segments=4, audio=False)
    statistics = measure_features([present, absent])
    assert np.allclose(statistics.audio_mean, present.features.audio.mean(axis=0), atol=1e-6)
    assert np.allclose(statistics.audio_std, present.features.audio.std(axis=0), atol=1e-6)


def test_an_absent_modality_has_mean_zero_and_deviation_one():
    statistics = measure_features([plant_document(1, text=False)])
    assert statistics.text_mean.tolist() == [0.0] * 4
    assert statistics.text_std.tolist() == [1.0] * 4
