from dataclasses import replace

import pytest

from tests.training.fabricated import fabricate, without
from training.evaluation.evidence import EvidenceError, check_evidence

EVIDENCE = fabricate()
HILBERT, OTHER, *_ = EVIDENCE.arms


def test_a_whole_run_is_accepted():
    check_evidence(EVIDENCE)


def test_a_run_without_what_is_optional_is_accepted():
    check_evidence(without(EVIDENCE, "embeddings", "contributions", "out_of_distribution"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"arms": ()}, "no arm"),
        ({"arms": (HILBERT, replace(OTHER, name="hilbert"))}, "one name"),
        ({"arms": (HILBERT, replace(OTHER, thresholds=OTHER.thresholds[:1]))}, "threshold for each fold"),
        ({"arms": (HILBERT, replace(OTHER, temperatures=OTHER.temperatures[:, :1]))}, "temperature for each fold"),
        ({"arms": (HILBERT, replace(OTHER, uncalibrated=OTHER.uncalibrated[:1]))}, "uncalibrated"),
        ({"subgroups": {"sex": ("female",)}}, "sex"),
        ({"families": EVIDENCE.families[:-1]}, "each document of the cohort"),
    ],
)
def test_parts_that_do_not_belong_together_are_refused(change, message):
    with pytest.raises(EvidenceError, match=message):
        check_evidence(replace(EVIDENCE, **change))


@pytest.mark.parametrize("change", ["rows", "fold_of", "outcomes"])
def test_an_arm_tested_otherwise_is_refused(change):
    turned = {
        "rows": OTHER.predictions.rows[::-1],
        "fold_of": 2 - OTHER.predictions.fold_of,
        "outcomes": ("a", "b", "c"),
    }
    arm = replace(OTHER, predictions=replace(OTHER.predictions, **{change: turned[change]}))
    with pytest.raises(EvidenceError, match="audio_only was not tested on the same"):
        check_evidence(replace(EVIDENCE, arms=(HILBERT, arm)))


@pytest.mark.parametrize("part", ["embeddings", "contributions", "out_of_distribution"])
def test_a_part_for_other_documents_is_refused(part):
    short = replace(getattr(EVIDENCE, part), audio=getattr(EVIDENCE, part).audio[:-1])
    with pytest.raises(EvidenceError, match=part):
        check_evidence(replace(EVIDENCE, **{part: short}))
