import math

import numpy as np
import pytest
import torch

from model.config import NetworkSettings
from model.network.checkpoint import NetworkDescription
from tests.training.planted import AUDIO_DIM, TEXT_DIM, plant_document
from training.config import TrainerSettings
from training.metrics import macro_auroc, softmax
from training.trainer import (
    Fold,
    cross_entropy_of,
    predict_logits,
    read_labels,
    train_network,
    warm_up_then_cosine,
)

DESCRIPTION = NetworkDescription(
    audio_dim=AUDIO_DIM,
    text_dim=TEXT_DIM,
    outcomes={"spectrum": ("none", "ill")},
    network=NetworkSettings(width=16, heads=2, experts=2, dropout=0.1),
)
SETTINGS = TrainerSettings(epochs=12, batch=16, learning_rate=3e-3, patience=4)
FOLD = Fold(
    train=[plant_document(number, label=number % 2) for number in range(64)],
    validation=[plant_document(number, label=number % 2) for number in range(100, 140)],
)
FRESH = [plant_document(number, label=number % 2) for number in range(200, 280)]


@pytest.fixture(scope="module")
def trained():
    return train_network(DESCRIPTION, FOLD, SETTINGS, lambda epoch: None)


def test_a_planted_outcome_is_found_in_fresh_documents(trained):
    probabilities = softmax(predict_logits(trained.network, FRESH)["spectrum"])
    assert macro_auroc(probabilities, read_labels(FRESH, "spectrum"), ("none", "ill")).value > 0.95


@pytest.mark.parametrize("modality", ["audio", "text"])
def test_one_modality_alone_is_still_better_than_chance(trained, modality):
    alone = [plant_document(n, label=n % 2, **{modality: False}) for n in range(200, 280)]
    probabilities = softmax(predict_logits(trained.network, alone)["spectrum"])
    assert macro_auroc(probabilities, read_labels(alone, "spectrum"), ("none", "ill")).value > 0.8


def test_the_same_seed_trains_the_same_network(trained):
    again = train_network(DESCRIPTION, FOLD, SETTINGS, lambda epoch: None)
    assert again.history == trained.history
    for name, value in trained.network.state_dict().items():
        assert torch.equal(value, again.network.state_dict()[name])


def test_the_best_epoch_is_the_one_returned(trained):
    assert trained.best.validation_loss == min(epoch.validation_loss for epoch in trained.history)
    assert not trained.network.training


def test_training_stops_when_validation_no_longer_improves():
    noise = Fold(
        train=[plant_document(number, label=number % 2, effect=0.0) for number in range(32)],
        validation=[plant_document(number, label=number % 2, effect=0.0) for number in range(100, 120)],
    )
    seen = []
    trained = train_network(
        DESCRIPTION, noise, SETTINGS.model_copy(update={"epochs": 60, "stop_on": "macro_auroc"}), seen.append
    )
    assert len(seen) == len(trained.history) == trained.best.number + SETTINGS.patience
    assert len(seen) < 60


def test_statistics_come_from_the_training_documents(trained):
    rows = np.concatenate([document.features.audio for document in FOLD.train])
    assert np.allclose(trained.network.project_audio.mean, rows.mean(axis=0), atol=1e-5)


def test_predictions_do_not_depend_on_batch_mates(trained):
    together = predict_logits(trained.network, FRESH)["spectrum"]
    apart = predict_logits(trained.network, FRESH, batch=1)["spectrum"]
    assert np.allclose(together, apart, atol=1e-5)


def test_a_missing_label_adds_nothing_to_the_loss():
    logits = {"spectrum": torch.tensor([[2.0, 0.0], [0.0, 9.0]])}
    loss = cross_entropy_of(logits, {"spectrum": torch.tensor([0, -1])})
    assert loss.item() == pytest.approx(math.log(1 + math.exp(-2.0)))


def test_a_batch_without_labels_has_no_loss_and_no_nan():
    loss = cross_entropy_of({"spectrum": torch.zeros(2, 2)}, {"spectrum": torch.tensor([-1, -1])})
    assert loss.item() == 0.0


def test_the_learning_rate_rises_and_falls():
    shares = [warm_up_then_cosine(step, warmup=10, steps=100) for step in range(101)]
    assert shares[0] == pytest.approx(0.1)
    assert shares[9] == shares[10] == 1.0
    assert shares[55] == pytest.approx(0.5)
    assert shares[100] == pytest.approx(0.0)
