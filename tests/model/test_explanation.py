from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from model.bundle.bundle import open_bundle
from model.encoders.runtime import RuntimeOptions
from model.explanation import CoalitionValues, contributions, segment_effects
from model.features import SegmentFeatures
from model.scoring import Scorer, withhold

SEGMENTS = 20


@pytest.fixture(scope="module")
def scorer(small_bundle: Path) -> Scorer:
    return Scorer(open_bundle(small_bundle), RuntimeOptions(threads=1))


@pytest.fixture
def document() -> SegmentFeatures:
    generator = np.random.default_rng(5)
    return SegmentFeatures(
        indices=np.arange(SEGMENTS),
        times=np.arange(SEGMENTS, dtype=np.float32) * 20,
        audio=generator.standard_normal((SEGMENTS, 32)).astype(np.float32),
        text=generator.standard_normal((SEGMENTS, 24)).astype(np.float32),
        audio_mask=np.ones(SEGMENTS, dtype=np.bool_),
        text_mask=np.arange(SEGMENTS) != 3,
    )


def log_odds(scorer: Scorer, document: SegmentFeatures, outcome: int) -> float:
    risk = float(scorer.risks([document], "spectrum")[0, outcome])
    return float(np.log(risk / (1 - risk)))


def test_shares_worked_by_hand() -> None:
    game = CoalitionValues(none=-2.0, audio=-0.5, text=-1.0, both=1.5)
    assert game.shapley_audio == pytest.approx(0.5 * 1.5 + 0.5 * 2.5)
    assert game.shapley_text == pytest.approx(0.5 * 1.0 + 0.5 * 2.0)
    assert game.interaction == pytest.approx(1.0)


@pytest.mark.parametrize("outcome", [0, 1, 2])
def test_contributions_add_up_and_equal_four_separate_scores(
    scorer: Scorer, document: SegmentFeatures, outcome: int
) -> None:
    found = contributions(scorer, document, task="spectrum", outcome=outcome)
    assert found.audio + found.text == pytest.approx(found.total - found.baseline, abs=1e-6)
    none = log_odds(scorer, withhold(document, audio=True, text=True), outcome)
    audio = log_odds(scorer, withhold(document, text=True), outcome)
    text = log_odds(scorer, withhold(document, audio=True), outcome)
    both = log_odds(scorer, document, outcome)
    assert found.audio == pytest.approx(0.5 * (audio - none) + 0.5 * (both - text), abs=1e-5)
    assert found.interaction == pytest.approx(both - audio - text + none, abs=1e-5)
    assert found.baseline == pytest.approx(none, abs=1e-5)


def test_a_missing_modality_contributes_exactly_nothing(scorer: Scorer, document: SegmentFeatures) -> None:
    without = withhold(document, text=True)
    found = contributions(scorer, without, task="spectrum", outcome=0)
    assert found.text == pytest.approx(0, abs=1e-6)
    assert found.interaction == pytest.approx(0, abs=1e-6)
    assert found.audio == pytest.approx(found.total - found.baseline, abs=1e-6)


def test_no_share_is_given_of_next_to_nothing(scorer: Scorer, document: SegmentFeatures) -> None:
    nothing = withhold(document, audio=True, text=True)
    found = contributions(scorer, nothing, task="spectrum", outcome=0)
    assert found.share_audio is None
    assert found.share_text is None
    assert found.stable


def test_shares_sum_to_one(scorer: Scorer, document: SegmentFeatures) -> None:
    found = contributions(scorer, document, task="spectrum", outcome=1)
    assert found.share_audio is not None
    assert found.share_text is not None
    assert found.share_audio + found.share_text == pytest.approx(1)


def test_a_segments_effect_is_the_change_when_it_is_left_out(scorer: Scorer, document: SegmentFeatures) -> None:
    effects = segment_effects(scorer, document, task="spectrum", outcome=2)
    whole = log_odds(scorer, document, 2)
    for position in (0, 7, SEGMENTS - 1):
        mark = np.arange(SEGMENTS) == position
        assert effects.audio[position] == pytest.approx(
            whole - log_odds(scorer, withhold(document, audio=mark), 2), abs=1e-5
        )
        assert effects.text[position] == pytest.approx(
            whole - log_odds(scorer, withhold(document, text=mark), 2), abs=1e-5
        )
    assert effects.text[3] == 0


def test_reordering_segments_changes_nothing(scorer: Scorer, document: SegmentFeatures) -> None:
    order = np.random.default_rng(0).permutation(SEGMENTS)
    shuffled = SegmentFeatures(
        **{name: getattr(document, name)[order] for name in SegmentFeatures.__dataclass_fields__}
    )
    np.testing.assert_allclose(scorer.risks([shuffled], "spectrum"), scorer.risks([document], "spectrum"), atol=1e-6)


def test_probabilities_are_the_calibrated_softmax(scorer: Scorer, document: SegmentFeatures) -> None:
    logits = scorer.logits([document], "spectrum")[0].astype(np.float64) / 1.3
    expected = np.exp(logits) / np.exp(logits).sum()
    found = scorer.score(document, "spectrum")
    np.testing.assert_allclose(found.values, expected, atol=1e-6)
    assert found.outcomes[found.top] == ("none", "mild", "severe")[int(np.argmax(expected))]


def test_a_logit_adjusted_head_reports_risks_at_the_training_prior(scorer: Scorer, document: SegmentFeatures) -> None:
    calibration = scorer.bundle.calibration
    adjusted = calibration.tasks["spectrum"].model_copy(update={"adjustment": 1.0})
    bundle = replace(scorer.bundle, calibration=calibration.model_copy(update={"tasks": {"spectrum": adjusted}}))
    found = Scorer(bundle, RuntimeOptions(threads=1)).score(document, "spectrum")
    logits = scorer.logits([document], "spectrum")[0].astype(np.float64) + np.log([0.7, 0.2, 0.1])
    np.testing.assert_allclose(found.values, np.exp(logits / 1.3) / np.exp(logits / 1.3).sum(), atol=1e-6)
