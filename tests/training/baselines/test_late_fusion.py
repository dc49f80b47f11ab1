import numpy as np
import pytest

from training.baselines.late_fusion import EnsembleMembers, ensemble_members, fit_fusion, fuse
from training.evaluation.metrics import softmax

LABELS = np.random.default_rng(0).integers(0, 2, size=200)
TELLING = np.where(LABELS == 1, 1.5, -1.5)[:, None] * np.array([-1.0, 1.0]) + np.random.default_rng(1).normal(
    size=(200, 2)
)
NOISE = np.random.default_rng(2).normal(size=(200, 2))


def voices(audio, text, *, has_audio=True, has_text=True):
    present = {"audio": [has_audio] * len(audio), "text": [has_text] * len(text)}
    return ensemble_members(audio, text, present)


def test_an_uninformative_member_gets_almost_no_weight():
    assert fit_fusion(voices(TELLING, NOISE), LABELS).weight >= 0.8
    assert fit_fusion(voices(NOISE, TELLING), LABELS).weight <= 0.2


def test_the_fusion_of_equal_members_equals_each_member():
    both = voices(TELLING, TELLING)
    assert np.allclose(softmax(fuse(both, 0.35)), softmax(TELLING))


def test_a_hand_worked_mixture():
    given = EnsembleMembers(
        audio=np.log([[0.8, 0.2]]), text=np.log([[0.5, 0.5]]), has_audio=np.array([True]), has_text=np.array([True])
    )
    mixed = softmax(fuse(given, 0.5))
    assert mixed[0, 0] == pytest.approx(0.8**0.5 / (0.8**0.5 + 0.2**0.5))


def test_a_missing_modality_leaves_the_other_voice_alone():
    assert np.allclose(softmax(fuse(voices(TELLING, NOISE, has_text=False), 0.1)), softmax(TELLING))
    assert np.allclose(softmax(fuse(voices(NOISE, TELLING, has_audio=False), 0.9)), softmax(TELLING))
