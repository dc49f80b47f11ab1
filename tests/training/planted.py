"""Small documents with a planted outcome, for the tests of training."""

import numpy as np

from model.features import SegmentFeatures
from training.batches import LabelledDocument

AUDIO_DIM, TEXT_DIM = 6, 4


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
