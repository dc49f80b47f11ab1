from dataclasses import replace

import numpy as np
import pytest

from training.evaluation.contributions import summarise_contributions, summarise_quantiles
from training.evaluation.evidence import ContributionEvidence

EVIDENCE = ContributionEvidence(
    audio=np.array([1.0, 0.2, 0.6]),
    text=np.array([0.0, 0.8, 0.6]),
    interaction=np.zeros(3),
    baseline=np.full(3, -1.0),
    share_audio=np.array([1.0, 0.2, np.nan]),
    stable=np.array([True, False, True]),
    reported=np.array([0, 1, 1]),
    planted=("audio", "text", "none"),
)


def test_groups_are_of_their_documents():
    found = summarise_contributions(EVIDENCE, ("none", "ill", "rare"))
    assert (found.overall.documents, found.overall.unstable) == (3, 1)
    assert (found.overall.audio.median, found.overall.text.median) == (0.6, 0.6)
    assert [one.group for one in found.by_reported] == ["none", "ill"]
    assert [one.group for one in found.by_planted] == ["audio", "text", "none"]
    assert found.by_planted[1].text.median == 0.8


def test_an_undefined_share_is_left_out_and_counted():
    found = summarise_contributions(EVIDENCE, ("none", "ill")).overall
    assert (found.share_audio.documents, found.share_audio.median, found.audio_leads) == (2, pytest.approx(0.6), 0.5)
    none = summarise_contributions(EVIDENCE, ("none", "ill")).by_planted[2]
    assert (none.share_audio.documents, none.share_audio.median, none.audio_leads) == (0, None, None)


def test_a_real_cohort_has_no_planted_places():
    assert summarise_contributions(replace(EVIDENCE, planted=None), ("none", "ill")).by_planted == ()


def test_quantiles_by_hand():
    found = summarise_quantiles(np.array([*np.arange(11.0), np.nan]))
    assert (found.documents, found.low, found.quarter, found.median) == (11, 1.0, 2.5, 5.0)
    assert (found.three_quarters, found.high) == (7.5, 9.0)
