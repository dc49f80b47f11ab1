from collections import Counter, defaultdict
from itertools import pairwise

import numpy as np
import pytest
from pydantic import ValidationError

from training.config import CohortSettings
from training.synthetic.speakers import draw_speakers

SETTINGS = CohortSettings(speakers=400)


@pytest.fixture(scope="module")
def speakers():
    return draw_speakers(3, SETTINGS)


def test_outcomes_have_exactly_the_requested_shares(speakers):
    assert Counter(one.outcome for one in speakers) == {
        "none": 248,
        "depressive": 72,
        "bipolar": 48,
        "psychotic": 32,
    }


def test_the_same_seed_draws_the_same_speakers(speakers):
    assert draw_speakers(3, SETTINGS) == speakers
    assert draw_speakers(4, SETTINGS) != speakers


def test_carriers_share_each_outcome_equally(speakers):
    carriers: dict[str, Counter[str]] = defaultdict(Counter)
    for one in speakers:
        carriers[one.outcome][one.carrier] += 1
    assert carriers["none"] == {"none": 248}
    assert carriers["bipolar"] == {"audio": 16, "text": 16, "both": 16}


def test_persons_are_distinct_and_families_shared(speakers):
    families = Counter(one.family for one in speakers)
    assert len({one.person for one in speakers}) == len(speakers)
    assert max(families.values()) == 4
    assert min(families.values()) == 1


def test_each_family_has_one_parent(speakers):
    parents = Counter(one.family for one in speakers if one.role == "parent")
    assert set(parents.values()) == {1}


def test_parents_are_older_than_their_offspring_by_a_generation(speakers):
    ages = {one.family: one.age for one in speakers if one.role == "parent"}
    gaps = [ages[one.family] - one.age for one in speakers if one.role == "offspring"]
    assert min(gaps) >= 15
    assert min(one.age for one in speakers) >= 13
    assert max(one.age for one in speakers) <= 75


def test_age_says_little_about_the_outcome():
    many = draw_speakers(6, CohortSettings(speakers=3000))
    ages = {name: np.mean([one.age for one in many if one.outcome == name]) for name in ("none", "depressive")}
    spread = np.std([one.age for one in many])
    assert 0 < ages["depressive"] - ages["none"] < 0.4 * spread


def test_sex_is_that_of_the_voice(speakers):
    assert {one.sex for one in speakers if "+f" in one.voice} == {"female"}
    assert {one.sex for one in speakers if "+m" in one.voice} == {"male"}


def test_outcomes_run_in_families():
    many = draw_speakers(3, CohortSettings(speakers=3000, family_share=0.9))
    families = defaultdict(list)
    for one in many:
        families[one.family].append(one.outcome == "depressive")
    pairs = [(a, b) for members in families.values() for a, b in pairwise(members)]
    risk_beside_a_case = np.mean([b for a, b in pairs if a])
    assert risk_beside_a_case > 2 * np.mean([b for a, b in pairs if not a])


def test_an_outcome_carried_by_text_leaves_the_voice_alone():
    many = draw_speakers(6, CohortSettings(speakers=2000))
    melody = {
        carrier: np.mean([s.prosody.pitch_range for s in many if (s.outcome, s.carrier) == ("bipolar", carrier)])
        for carrier in ("audio", "text", "both")
    }
    none = np.mean([s.prosody.pitch_range for s in many if s.outcome == "none"])
    assert abs(melody["text"] - none) < 5
    assert melody["audio"] > none + 25
    assert melody["both"] > none + 25


def test_an_outcome_carried_by_audio_leaves_the_words_alone():
    many = draw_speakers(6, CohortSettings(speakers=2000))
    share = {
        carrier: np.mean(
            [s.marker_rates["depressive"] for s in many if (s.outcome, s.carrier) == ("depressive", carrier)]
        )
        for carrier in ("audio", "text", "both")
    }
    assert share["audio"] < 0.07
    assert min(share["text"], share["both"]) > 0.18


def test_voices_without_an_outcome_overlap_with_planted_voices(speakers):
    planted = [s.prosody.rate for s in speakers if s.outcome == "depressive" and s.carrier != "text"]
    plain = [s.prosody.rate for s in speakers if s.outcome == "none"]
    assert np.percentile(plain, 10) < np.percentile(planted, 75)


def test_an_empty_cohort_is_refused():
    with pytest.raises(ValidationError):
        CohortSettings(speakers=0)
