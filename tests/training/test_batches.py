import numpy as np
import torch

from tests.training.planted import AUDIO_DIM, plant_document
from training.batches import MISSING, collate, drop_modalities, measure_features, pad_documents


def test_a_short_document_is_padded_and_masked():
    batch = collate([plant_document(1, segments=2), plant_document(2, segments=5)]).documents
    assert batch.audio_features.shape == (2, 5, AUDIO_DIM)
    assert batch.audio_mask.sum(dim=1).tolist() == [2, 5]
    assert not batch.audio_features[0, 2:].any()


def test_times_are_those_of_the_segments():
    batch = collate([plant_document(1, segments=3)]).documents
    assert batch.audio_times.tolist() == batch.text_times.tolist() == [[10.0, 30.0, 50.0]]


def test_a_modality_without_a_segment_is_not_present():
    batch = collate([plant_document(1), plant_document(2, audio=False), plant_document(3, text=False)]).documents
    assert batch.audio_present.tolist() == [True, False, True]
    assert batch.text_present.tolist() == [True, True, False]


def test_a_document_without_segments_still_has_a_position():
    batch = pad_documents([plant_document(1, segments=0).features])
    assert batch.audio_features.shape == (1, 1, AUDIO_DIM)
    assert not batch.audio_mask.any()


def test_a_label_nobody_gave_is_missing():
    known, unknown = plant_document(1, label=1), plant_document(2)
    unlabelled = type(unknown)(person="p", family="f", features=unknown.features, labels={})
    assert collate([known, unlabelled]).labels["spectrum"].tolist() == [1, MISSING]


def test_modality_dropout_takes_each_modality_at_its_share_and_never_both():
    batch = collate([plant_document(number, segments=1) for number in range(2000)]).documents
    dropped = drop_modalities(batch, share=0.15, generator=torch.Generator().manual_seed(1))
    assert 0.12 < 1 - dropped.audio_present.float().mean() < 0.18
    assert 0.12 < 1 - dropped.text_present.float().mean() < 0.18
    assert (dropped.audio_present | dropped.text_present).all()


def test_modality_dropout_spares_the_only_modality():
    batch = collate([plant_document(number, text=False) for number in range(50)]).documents
    dropped = drop_modalities(batch, share=0.45, generator=torch.Generator().manual_seed(1))
    assert dropped.audio_present.all()


def test_statistics_read_valid_segments_only():
    present, absent = plant_document(1, segments=4), plant_document(2, segments=4, audio=False)
    statistics = measure_features([present, absent])
    assert np.allclose(statistics.audio_mean, present.features.audio.mean(axis=0), atol=1e-6)
    assert np.allclose(statistics.audio_std, present.features.audio.std(axis=0), atol=1e-6)


def test_statistics_of_a_modality_nobody_has_change_nothing():
    statistics = measure_features([plant_document(1, text=False)])
    assert statistics.text_mean.tolist() == [0.0] * 4
    assert statistics.text_std.tolist() == [1.0] * 4
