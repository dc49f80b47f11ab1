import numpy as np
import torch

from tests.training.planted import BOUNDS, plant_cohort, plant_folds
from training.documents.stacked import draw_noise, drop_modalities, stack_documents


def stacked(folds=None):
    return stack_documents(folds or [fold.train for fold in plant_folds()], BOUNDS, ("spectrum",))


def generators(count, seed=1):
    return [torch.Generator().manual_seed(seed + fold) for fold in range(count)]


def test_every_document_has_one_row_and_absent_documents_are_marked():
    folds = [fold.train for fold in plant_folds()]
    found = stacked(folds)
    for positions, documents in zip(found.positions, folds, strict=True):
        assert sorted(positions[positions >= 0].tolist()) == list(range(len(documents)))
    absent = found.positions < 0
    assert absent.any()
    assert not torch.cat([group[-2] | group[-1] for group in found.groups], dim=1)[torch.from_numpy(absent)].any()
    assert (found.labels["spectrum"][torch.from_numpy(absent)] == -1).all()


def test_rows_come_back_in_the_order_they_were_given():
    folds = [fold.train for fold in plant_folds()]
    found = stacked(folds)
    for number, documents in enumerate(folds):
        labels = found.restore(found.labels["spectrum"].numpy()[..., None], number)[:, 0]
        assert labels.tolist() == [one.labels["spectrum"] for one in documents]


def test_documents_are_padded_to_their_own_bound():
    found = stacked([plant_cohort(0, 20)])
    assert found.lengths == BOUNDS
    for group, length in zip(found.groups, found.lengths, strict=True):
        assert group[0].shape[2] == length


def test_an_unused_padded_length_makes_no_group():
    assert stacked([plant_cohort(0, 10, segments=2)]).lengths == (3,)


def test_modality_dropout_takes_each_modality_at_its_share_and_never_both():
    found = stacked([plant_cohort(0, 2000, segments=1)])
    ((audio, text),) = drop_modalities(found, share=0.15, generators=generators(1))
    assert 0.12 < 1 - audio.float().mean() < 0.18
    assert 0.12 < 1 - text.float().mean() < 0.18
    assert (audio | text).all()


def test_modality_dropout_spares_the_only_modality():
    found = stacked([plant_cohort(0, 50, text=False)])
    presences = drop_modalities(found, share=0.45, generators=generators(1))
    assert sum(int(audio.sum()) for audio, _ in presences) == 50


def test_the_dropout_noise_of_a_fold_is_the_same_alone_and_in_a_stack():
    folds = [fold.train for fold in plant_folds()]
    together, alone = stacked(folds), stacked([folds[2]])
    dropped = drop_modalities(together, share=0.3, generators=generators(3))
    single = drop_modalities(alone, share=0.3, generators=generators(1, seed=3))
    noises = draw_noise(together, [64] * 2, generators(3))
    quiet = draw_noise(alone, [64] * 2, generators(1, seed=3))
    for number in range(len(noises)):
        size = quiet[number].shape[1]
        assert torch.equal(noises[number][2, :size], quiet[number][0])
        assert torch.equal(dropped[number][0][2, :size], single[number][0][0])


def test_random_bytes_are_even_over_all_256_values():
    found = stacked([plant_cohort(0, 400, segments=2)])
    (noise,) = draw_noise(found, [1000], generators(1))
    counts = np.bincount(noise.numpy().reshape(-1), minlength=256)
    expected = noise.numel() / 256
    assert np.abs(counts - expected).max() < 6 * np.sqrt(expected)
