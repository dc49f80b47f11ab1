"""Evaluate a bundle on new speakers: with both modalities, and with either one withheld."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from pydantic import Field

from model.config import FrozenSettings
from model.explanation import contributions
from model.features import SegmentFeatures
from model.scoring import Scorer, withhold
from training.cohort.cohort import CohortRow
from training.documents.labelled import LabelledDocument
from training.evaluation.metrics import log_loss, macro_auroc
from training.synthetic.cohort import CARRIER

HALF = 0.5


class HoldoutArmReport(FrozenSettings):
    """Measures of one way of scoring the speakers."""

    macro_auroc: float | None
    log_loss: float
    auroc: dict[str, float | None]
    cases: dict[str, int]


class HoldoutCarrierReport(FrozenSettings):
    """Mean contributions to the score of the planted outcome, for speakers with one carrier modality."""

    speakers: int
    audio: float = Field(description="signed contribution, log-odds")
    text: float
    audio_share: float | None = Field(
        description="mean of |audio| / (|audio| + |text|); None where both are negligible"
    )
    audio_leads: float | None = Field(description="share of the speakers with an audio share above one half")


class HoldoutReport(FrozenSettings):
    """Measures of a bundle on new speakers, and the contributions by carrier modality."""

    speakers: int
    both: HoldoutArmReport
    audio: HoldoutArmReport
    text: HoldoutArmReport
    carriers: dict[str, HoldoutCarrierReport]


def evaluate_holdout(
    scorer: Scorer, documents: Sequence[LabelledDocument], rows: Sequence[CohortRow], *, task: str
) -> HoldoutReport:
    """Score every document with the graph and the calibration of the bundle."""
    features = [document.features for document in documents]
    labels = np.array([document.labels[task] for document in documents], dtype=np.int64)
    outcomes = scorer.bundle.task(task).outcomes
    carried = [row.notes[CARRIER] for row in rows]

    def arm(views: Sequence[SegmentFeatures]) -> HoldoutArmReport:
        # One call for each document: the rows of a call are views of the same segments.
        risks: Float[np.ndarray, "document outcome"] = np.concatenate([scorer.risks([view], task) for view in views])
        auroc = macro_auroc(risks, labels, outcomes)
        return HoldoutArmReport(
            macro_auroc=auroc.value,
            log_loss=log_loss(risks, labels),
            auroc={outcome.outcome: outcome.value for outcome in auroc.by_outcome},
            cases={outcome.outcome: outcome.cases for outcome in auroc.by_outcome},
        )

    return HoldoutReport(
        speakers=len(documents),
        both=arm(features),
        audio=arm([withhold(document, text=True) for document in features]),
        text=arm([withhold(document, audio=True) for document in features]),
        carriers={
            name: _carrier(
                scorer,
                [document for document, carrier in zip(documents, carried, strict=True) if carrier == name],
                task,
            )
            # A speaker without a planted outcome has no carrier.
            for name in sorted({*carried} - {"none"})
        },
    )


def _carrier(scorer: Scorer, documents: Sequence[LabelledDocument], task: str) -> HoldoutCarrierReport:
    """Mean contributions to the speakers' own outcomes; shares only where they are defined."""
    parts = [
        contributions(scorer, document.features, task=task, outcome=document.labels[task]) for document in documents
    ]
    shares = np.array([part.share_audio for part in parts if part.share_audio is not None])
    return HoldoutCarrierReport(
        speakers=len(parts),
        audio=float(np.mean([part.audio for part in parts])),
        text=float(np.mean([part.text for part in parts])),
        audio_share=float(shares.mean()) if len(shares) else None,
        audio_leads=float((shares > HALF).mean()) if len(shares) else None,
    )
