"""Small documents with a planted outcome, and what trains on them, for the tests of training."""

from functools import partial

import numpy as np

from model.config import NetworkSettings
from model.features import SegmentFeatures
from model.network.checkpoint import NetworkDescription, build
from model.network.losses.settings import ObjectiveSettings
from training.config import TrainerSettings
from training.documents.labelled import LabelledDocument
from training.fit.learner import LearnerSpec
from training.fit.run_types import FoldData

AUDIO_DIM, TEXT_DIM = 6, 4
OUTCOMES = {"spectrum": ("none", "ill")}
BOUNDS = (3, 6)
WIDTH = 16
NETWORK = NetworkSettings(width=WIDTH, heads=2, experts=2, dropout=0.2)
DESCRIPTION = NetworkDescription(audio_dim=AUDIO_DIM, text_dim=TEXT_DIM, outcomes=OUTCOMES, network=NETWORK)
SPEC = LearnerSpec(
    name="planted",
    build=partial(build, DESCRIPTION),
    width=WIDTH,
    outcomes=OUTCOMES,
    objective=ObjectiveSettings(head_width=WIDTH),
)
TRAINER = TrainerSettings(steps=30, learning_rate=5e-3, look_every=5, patience=3, threads=1, workers=1, device="cpu")


def plant_document(number, *, label=0, segments=3, audio=True, text=True, effect=2.0):
    """A document whose outcome moves one dimension of each modality it has."""
    chance = np.random.default_rng(number)
    audio_features = chance.standard_normal((segments, AUDIO_DIM)).astype(np.float32)
    text_features = chance.standard_normal((segments, TEXT_DIM)).astype(np.float32)
    audio_features[:, 0] += effect * label
    text_features[:, 1] -= effect * label
    return LabelledDocument(
        person=f"p{number}",
        family=f"f{number // 2}",
        features=SegmentFeatures(
            indices=np.arange(segments),
            times=np.arange(segments, dtype=np.float32) * 20 + 10,
            audio=audio_features * audio,
            text=text_features * text,
            audio_mask=np.full(segments, audio),
            text_mask=np.full(segments, text),
        ),
        labels={"spectrum": label},
    )


def plant_cohort(first, count, **changes):
    """Documents of families of two, of differing lengths, every second family with the outcome."""
    return [
        plant_document(number, label=number // 2 % 2, **({"segments": 2 + number % 5} | changes))
        for number in range(first, first + count)
    ]


def plant_folds(folds=3, count=48):
    """Folds of one planted cohort, of slightly differing sizes, a part of them without audio."""
    documents = [
        plant_document(number, label=number // 2 % 2, segments=2 + number % 5, audio=number % 11 != 0)
        for number in range(count)
    ]
    found = []
    for fold in range(folds):
        held_out = {f"f{family}" for family in range(fold, count // 2, max(3, folds))}
        train = [one for one in documents if one.family not in held_out]
        found.append(
            FoldData(
                name=f"fold {fold + 1}",
                seed=fold,
                train=train[: len(train) - fold],
                validation=[one for one in documents if one.family in held_out],
            )
        )
    return found
