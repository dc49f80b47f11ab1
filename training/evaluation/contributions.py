"""Distributions of modality contributions over documents, by reported outcome and by planted modality."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float

from model.config import FrozenSettings
from training.evaluation.evidence import ContributionEvidence

PLANTED_MODALITIES = ("audio", "text", "both", "none")
"""The modalities in which a synthetic cohort plants an outcome."""
_HALF = 0.5


class Quantiles(FrozenSettings):
    """The 10th, 25th, 50th, 75th and 90th percentile over documents; None without documents."""

    documents: int
    low: float | None
    quarter: float | None
    median: float | None
    three_quarters: float | None
    high: float | None


class GroupContributions(FrozenSettings):
    """Contributions to the log-odds of the reported outcome, in a group of documents.

    `share_audio` covers the documents in which the share is defined. `unstable` counts the documents in which the sign
    of a contribution depends on the baseline that replaces a modality. `audio_leads` is the proportion of documents
    with an audio share above one half.
    """

    group: str
    documents: int
    unstable: int
    audio: Quantiles
    text: Quantiles
    interaction: Quantiles
    share_audio: Quantiles
    audio_leads: float | None


class ContributionMeasures(FrozenSettings):
    """Contributions over all documents, by reported outcome, and (synthetic cohorts) by planted modality."""

    overall: GroupContributions
    by_reported: tuple[GroupContributions, ...]
    by_planted: tuple[GroupContributions, ...]


def summarise_contributions(evidence: ContributionEvidence, outcomes: tuple[str, ...]) -> ContributionMeasures:
    """Distributions over documents; the evidence is of one repeat, so each document counts once.

    See docs/method.md (C9).
    """
    planted = np.array(evidence.planted or ())
    return ContributionMeasures(
        overall=_summarise(evidence, "all", np.ones(len(evidence.audio), dtype=bool)),
        by_reported=tuple(
            _summarise(evidence, name, evidence.reported == index)
            for index, name in enumerate(outcomes)
            if (evidence.reported == index).any()
        ),
        by_planted=tuple(
            _summarise(evidence, place, planted == place) for place in PLANTED_MODALITIES if place in planted
        ),
    )


def summarise_quantiles(values: Float[np.ndarray, " document"]) -> Quantiles:
    """The percentiles of the finite values."""
    known = values[np.isfinite(values)]
    if not len(known):
        return Quantiles(documents=0, low=None, quarter=None, median=None, three_quarters=None, high=None)
    low, quarter, median, three_quarters, high = np.quantile(known, [0.1, 0.25, 0.5, 0.75, 0.9]).tolist()
    return Quantiles(
        documents=len(known), low=low, quarter=quarter, median=median, three_quarters=three_quarters, high=high
    )


def _summarise(
    evidence: ContributionEvidence, group: str, members: Bool[np.ndarray, " document"]
) -> GroupContributions:
    shares = evidence.share_audio[members]
    defined = shares[np.isfinite(shares)]
    return GroupContributions(
        group=group,
        documents=int(members.sum()),
        unstable=int((~evidence.stable[members]).sum()),
        audio=summarise_quantiles(evidence.audio[members]),
        text=summarise_quantiles(evidence.text[members]),
        interaction=summarise_quantiles(evidence.interaction[members]),
        share_audio=summarise_quantiles(shares),
        audio_leads=float((defined > _HALF).mean()) if len(defined) else None,
    )
