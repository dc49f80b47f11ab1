"""A bundle measured on speakers nobody trained on: with both modalities, and with either withheld."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from pydantic import Field

from model.config import Settings
from model.explanation import contributions
from model.features import SegmentFeatures
from model.scoring import Scorer, withhold
from training.cohort.cohort import CohortRow
from training.documents.labelled import LabelledDocument
from training.evaluation.metrics import log_loss, macro_auroc
from training.synthetic.cohort import CARRIER

EVEN = 0.5


class ArmReport(Settings):
    """One way of scoring the same speakers."""

    macro_auroc: float | None
    log_loss: float
    auroc: dict[str, float | None]
    cases: dict[str, int]


class CarrierReport(Settings):
    """Speakers whose outcome was planted in one place: what moved the score of that outcome, on average."""

    speakers: int
    audio: float = Field(description="signed contribution, log-odds")
    text: float
    audio_share: float | None = Field(description="mean of |audio| / (|audio| + |text|); None where nothing moved")
    audio_leads: float | None = Field(description="share of the speakers in whose score audio has the larger share")


class FreshReport(Settings):
    """How the bundle does on fresh speakers, and which modality leads for which carrier of the planted signs."""

    speakers: int
    both: ArmReport
    audio: ArmReport
    text: ArmReport
    carriers: dict[str, CarrierReport]


def measure_fresh(
    scorer: Scorer, documents: Sequence[LabelledDocument], rows: Sequence[CohortRow], *, task: str
) -> FreshReport:
    """Score every document with what ships: the bundle's graph and calibration."""
    features = [document.features for document in documents]
    labels = np.array([document.labels[task] for document in documents], dtype=np.int64)
    outcomes = scorer.bundle.task(task).outcomes
    carried = [row.notes[CARRIER] for row in rows]

    def arm(views: Sequence[SegmentFeatures]) -> ArmReport:
        risks: Float[np.ndarray, "document outcome"] = np.concatenate([scorer.risks([view], task) for view in views])
        found = macro_auroc(risks, labels, outcomes)
        return ArmReport(
            macro_auroc=found.value,
            log_loss=log_loss(risks, labels),
            auroc={one.outcome: one.value for one in found.by_outcome},
            cases={one.outcome: one.cases for one in found.by_outcome},
        )

    return FreshReport(
        speakers=len(documents),
        both=arm(features),
        audio=arm([withhold(one, text=True) for one in features]),
        text=arm([withhold(one, audio=True) for one in features]),
        carriers={
            name: _carrier(scorer, [one for one, found in zip(documents, carried, strict=True) if found == name], task)
            for name in sorted({*carried} - {"none"})
        },
    )


def _carrier(scorer: Scorer, documents: Sequence[LabelledDocument], task: str) -> CarrierReport:
    """The contributions to each speaker's own outcome; a speaker whose score nothing moved has no share."""
    found = [contributions(scorer, one.features, task=task, outcome=one.labels[task]) for one in documents]
    shares = np.array([one.share_audio for one in found if one.share_audio is not None])
    return CarrierReport(
        speakers=len(found),
        audio=float(np.mean([one.audio for one in found])),
        text=float(np.mean([one.text for one in found])),
        audio_share=float(shares.mean()) if len(shares) else None,
        audio_leads=float((shares > EVEN).mean()) if len(shares) else None,
    )
