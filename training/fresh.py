"""A bundle measured on speakers nobody trained on: with both modalities, and with either withheld."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from model.config import Settings
from model.explanation import contributions
from model.features import SegmentFeatures
from model.scoring import Scorer, withhold
from training.batches import LabelledDocument
from training.cohort import CohortRow
from training.metrics import log_loss, macro_auroc

EVEN = 0.5


class ArmReport(Settings):
    """One way of scoring the same speakers."""

    macro_auroc: float | None
    log_loss: float
    auroc: dict[str, float | None]
    cases: dict[str, int]


class FreshReport(Settings):
    """How the bundle does on fresh speakers, and which modality leads for which carrier of the planted signs."""

    speakers: int
    both: ArmReport
    audio: ArmReport
    text: ArmReport
    audio_share_by_carrier: dict[str, float]
    audio_leads_by_carrier: dict[str, float]


def measure_fresh(
    scorer: Scorer, documents: Sequence[LabelledDocument], rows: Sequence[CohortRow], *, task: str
) -> FreshReport:
    """Score every document with what ships: the bundle's graph and calibration."""
    features = [document.features for document in documents]
    labels = np.array([document.labels[task] for document in documents], dtype=np.int64)
    outcomes = scorer.bundle.task(task).outcomes

    def arm(views: Sequence[SegmentFeatures]) -> ArmReport:
        risks: Float[np.ndarray, "document outcome"] = np.concatenate([scorer.risks([view], task) for view in views])
        found = macro_auroc(risks, labels, outcomes)
        return ArmReport(
            macro_auroc=found.value,
            log_loss=log_loss(risks, labels),
            auroc={one.outcome: one.value for one in found.by_outcome},
            cases={one.outcome: one.cases for one in found.by_outcome},
        )

    shares = _audio_shares(scorer, features, labels, task)
    carriers = sorted({row.carrier for row in rows} - {"none"})
    by_carrier = {name: shares[[row.carrier == name for row in rows]] for name in carriers}
    return FreshReport(
        speakers=len(documents),
        both=arm(features),
        audio=arm([withhold(one, text=True) for one in features]),
        text=arm([withhold(one, audio=True) for one in features]),
        audio_share_by_carrier={name: float(np.nanmean(found)) for name, found in by_carrier.items()},
        audio_leads_by_carrier={name: float(np.nanmean(found > EVEN)) for name, found in by_carrier.items()},
    )


def _audio_shares(
    scorer: Scorer, features: Sequence[SegmentFeatures], labels: np.ndarray, task: str
) -> Float[np.ndarray, " document"]:
    """Audio's share in the score of each speaker's own outcome; NaN where nothing moved it."""
    found = [
        contributions(scorer, one, task=task, outcome=int(label)).share_audio
        for one, label in zip(features, labels, strict=True)
    ]
    return np.array([np.nan if share is None else share for share in found])
