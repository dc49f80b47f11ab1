from dataclasses import replace

import numpy as np
import pytest

from tests.training.fabricated import QUICK, fabricate, without
from training.errors import EvidenceError
from training.evaluation.baseline import compare_with_baseline
from training.evaluation.comparison import COVARIATES
from training.evaluation.measures import Measures, measure_evidence
from training.evaluation.metrics import brier, log_loss, macro_auroc
from training.evaluation.out_of_fold import macro_auroc_of

EVIDENCE = fabricate()
FOUND = EVIDENCE.arms[0].predictions


@pytest.fixture(scope="module")
def measures():
    return measure_evidence(EVIDENCE, QUICK)


def each_repeat(measure):
    return np.mean([measure(risks, FOUND.labels) for risks in FOUND.probabilities])


def test_values_are_means_over_repeats(measures):
    by_hand = each_repeat(lambda risks, labels: macro_auroc(risks, labels, FOUND.outcomes).value)
    assert measures.discrimination.macro_auroc.value == pytest.approx(by_hand)
    assert measures.risks.log_loss.value == pytest.approx(each_repeat(log_loss))
    by_hand = each_repeat(lambda risks, labels: brier(risks, labels, FOUND.outcomes).value)
    assert measures.risks.brier.value == pytest.approx(by_hand)
    assert measures.line_up.arms[0].macro_auroc == measures.discrimination.macro_auroc


def test_the_prevalence_is_what_the_scores_stand_beside(measures):
    shares = np.bincount(FOUND.labels) / len(FOUND.labels)
    assert measures.risks.log_loss_of_prevalence == pytest.approx(-(shares * np.log(shares)).sum())
    assert measures.risks.brier_of_prevalence == pytest.approx((shares * (1 - shares)).sum())
    saved = 1 - measures.risks.brier.value / measures.risks.brier_of_prevalence
    assert measures.risks.brier_skill.value == pytest.approx(saved)


def test_counts_add_up(measures):
    counts = measures.counts
    assert (counts.tested, counts.cohort, counts.labelled) == (60, 60, 60)
    assert (counts.repeats, counts.folds, counts.inner) == (2, 3, 2)
    assert sum(one.documents for one in counts.outcomes) == 60
    assert counts.families == len(set(EVIDENCE.families))
    parts = {part.part: part.folds for part in counts.parts}
    assert parts == {"training": 6, "test": 6, "inner training": 12, "inner validation": 12}


def test_every_bin_of_a_reliability_curve_has_its_risks(measures):
    for one in measures.risks.by_outcome:
        assert sum(point.risks for point in one.reliability) == 2 * 60
        seen = sum(point.risks * point.observed.value for point in one.reliability)
        assert seen == pytest.approx(2 * one.cases)


def test_the_temperature_is_shown_to_have_helped_the_overconfident(measures):
    found = measures.risks.temperature
    assert found.log_loss_saved.value == pytest.approx(found.log_loss_before.value - measures.risks.log_loss.value)
    assert found.log_loss_saved.value > 0
    assert found.error_before.value > measures.risks.error.value


def test_the_covariates_are_beaten_and_an_arm_does_not_beat_itself():
    twin = replace(EVIDENCE.arms[0], name="twin", title="Twin")
    line_up = measure_evidence(replace(EVIDENCE, arms=(EVIDENCE.arms[0], twin)), QUICK).line_up
    shown = {one.name: one for one in line_up.comparisons}
    assert (shown["twin"].shown, shown["twin"].macro_auroc.value) == ("neither", 0.0)
    assert shown[COVARIATES].shown == "better"


def test_a_difference_is_paired_on_the_same_families(measures):
    late = EVIDENCE.arms[4]
    (found,) = [one for one in measures.line_up.comparisons if one.name == "late_fusion"]
    assert found.macro_auroc == compare_with_baseline(FOUND, late.predictions, QUICK.bootstrap).interval
    everybody = np.arange(60)
    alone = macro_auroc_of(FOUND)(everybody) - macro_auroc_of(late.predictions)(everybody)
    assert found.macro_auroc.value == pytest.approx(alone)


def test_the_worse_model_is_reported_as_worse():
    turned = (EVIDENCE.arms[1], replace(EVIDENCE.arms[0], predictions=_oracle()))
    comparison = measure_evidence(replace(EVIDENCE, arms=turned), QUICK).line_up.comparisons[0]
    assert comparison.shown == "worse"


def _oracle():
    certain = 0.05 + 0.85 * np.eye(3)[FOUND.labels]
    return replace(FOUND, probabilities=np.stack([certain, certain]))


def test_the_verdict_agrees_with_the_numbers(measures):
    auroc, comparison, risks, rarest = measures.verdict
    value = measures.discrimination.macro_auroc
    assert f"macro AUROC is {value.value:.2f}".replace("0.", ".") in auroc
    assert "above chance" in auroc
    assert comparison.startswith("Better than the covariates alone: yes (difference .")
    assert "than late fusion: not shown" in comparison
    assert "better than always saying the prevalence" in risks
    assert "psychotic, has 9 cases" in rarest


def test_a_model_that_guesses_gets_a_verdict_of_nothing_shown():
    chance = np.random.default_rng(0).dirichlet([30, 13, 7], size=(2, 60))
    arm = replace(EVIDENCE.arms[0], predictions=replace(FOUND, probabilities=chance))
    auroc, comparison, risks, _ = measure_evidence(replace(EVIDENCE, arms=(arm,)), QUICK).verdict
    assert "not shown to be above chance" in auroc
    assert comparison.startswith("Better than the covariates alone: not shown")
    assert "not shown to be better" in risks


def test_characteristics_are_of_the_tested_documents(measures):
    everybody, *by_outcome = measures.characteristics
    assert everybody.documents == sum(one.documents for one in by_outcome) == 60
    known = EVIDENCE.covariates.age[~np.isnan(EVIDENCE.covariates.age)]
    assert (everybody.age.documents, everybody.age.median) == (len(known), pytest.approx(np.median(known)))
    assert sum(everybody.sexes.values()) == 60


def test_subgroups_have_their_documents(measures):
    by_sex = [one for one in measures.subgroups if one.covariate == "sex"]
    assert sum(one.documents for one in by_sex) == 60


def test_all_of_it_survives_json(measures):
    assert Measures.model_validate_json(measures.model_dump_json()) == measures


def test_what_was_not_measured_is_absent_and_not_0():
    found = measure_evidence(without(EVIDENCE, "embeddings", "contributions", "out_of_distribution"), QUICK)
    assert (found.neighbours, found.contributions, found.out_of_distribution) == ((), None, ())


def test_documents_without_a_label_are_tested_and_not_measured():
    labels = EVIDENCE.labels.copy()
    labels[:3] = -1
    arms = tuple(replace(arm, predictions=replace(arm.predictions, labels=labels)) for arm in EVIDENCE.arms[:1])
    found = measure_evidence(replace(EVIDENCE, arms=arms, labels=labels), QUICK)
    assert (found.counts.tested, found.counts.labelled) == (60, 57)
    assert found.discrimination.by_outcome[0].cases + found.discrimination.by_outcome[0].others == 57


def test_evidence_that_does_not_belong_together_is_not_measured():
    with pytest.raises(EvidenceError):
        measure_evidence(replace(EVIDENCE, families=()), QUICK)
