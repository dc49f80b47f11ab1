import math
import signal
import subprocess
import sys
import time
from dataclasses import replace
from typing import cast

import numpy as np
import pytest
import torch

from model.network.losses.settings import ObjectiveSettings, TermSwitches
from tests.training.planted import BOUNDS, OUTCOMES, SPEC, TRAINER, plant_cohort, plant_document, plant_folds
from training.documents.labelled import read_labels
from training.errors import DivergedError, FamilyLeakError, HeldOutDocumentError, OutcomeAbsentError, RunMismatchError
from training.evaluation.metrics import macro_auroc, softmax
from training.fit.prediction import predict_logits
from training.fit.resume import read_state
from training.fit.run_types import FitOptions, FoldData
from training.fit.trainer import train_stack

RUN = FitOptions(settings=TRAINER, modality_dropout=0.15, bounds=BOUNDS)
FRESH = plant_cohort(200, 60)
REPORT_KILLED = """
import sys
from pathlib import Path
from tests.training.planted import BOUNDS, SPEC, TRAINER, plant_folds
from training.fit.run_types import FitOptions
from training.fit.trainer import train_stack
settings = TRAINER.model_copy(update={"save_seconds": 0.0})
report = lambda report: print(report.step, flush=True)
options = FitOptions(
    settings=settings, modality_dropout=0.15, bounds=BOUNDS, state=Path(sys.argv[1]), on_report=report
)
train_stack(SPEC, plant_folds(2), options)
"""


@pytest.fixture(scope="module")
def trained():
    return train_stack(SPEC, plant_folds(), RUN)


def weights(stack):
    return [dict(fold.learner.state_dict()) for fold in stack.folds]


def assert_same_weights(one, other):
    for left, right in zip(weights(one), weights(other), strict=True):
        assert left.keys() == right.keys()
        for name, value in left.items():
            assert torch.equal(value, right[name]), name


def test_a_planted_outcome_is_predicted_in_new_documents(trained):
    for fold in trained.folds:
        risks = softmax(predict_logits(fold.learner, FRESH)["spectrum"])
        assert macro_auroc(risks, read_labels(FRESH, "spectrum"), OUTCOMES["spectrum"]).value > 0.9


def test_twenty_steps_of_a_stack_lose_what_the_sequential_loop_loses():
    run = replace(RUN, settings=TRAINER.model_copy(update={"steps": 20, "look_every": 1, "patience": 1000}))
    folds = plant_folds(2)
    stacked = train_stack(SPEC, folds, run)
    for number, fold in enumerate(folds):
        alone = train_stack(SPEC, [fold], run)
        for together, single in zip(stacked.reports, alone.reports, strict=True):
            assert together.totals[number] == pytest.approx(single.totals[0], abs=1e-4)
            assert together.scores[number] == pytest.approx(single.scores[0], abs=1e-4)
            for term, values in together.terms.items():
                assert values[number] == pytest.approx(single.terms[term][0], abs=1e-4), term


def test_equal_arguments_give_equal_weights(trained):
    assert_same_weights(train_stack(SPEC, plant_folds(), RUN), trained)


def test_another_seed_gives_other_weights(trained):
    other = train_stack(SPEC, [replace(fold, seed=fold.seed + 9) for fold in plant_folds()], RUN)
    assert weights(other)[0]["network.null_audio"].tolist() != weights(trained)[0]["network.null_audio"].tolist()


def test_the_weights_of_the_best_epoch_are_kept(trained):
    for number, fold in enumerate(trained.folds):
        scores = [report.scores[number] for report in trained.reports]
        assert fold.score == max(scores)
        assert fold.best_step == trained.reports[int(np.argmax(scores))].step
        validation = plant_folds()[number].validation
        risks = softmax(predict_logits(fold.learner, validation)["spectrum"])
        right = risks[np.arange(len(risks)), read_labels(validation, "spectrum")]
        assert -np.log(right).mean() == pytest.approx(-fold.score, abs=1e-5)


def test_patience_ends_a_run_before_its_steps_are_used_up():
    settings = TRAINER.model_copy(update={"steps": 400, "look_every": 1, "patience": 2, "learning_rate": 0.05})
    found = train_stack(SPEC, plant_folds(1), replace(RUN, settings=settings))
    assert found.reports[-1].step == found.folds[0].best_step + 2 < 400


def test_without_validation_the_weights_of_the_given_step_are_kept():
    full = plant_folds(1)[0]
    told = replace(full, validation=(), stop_at=10)
    kept = train_stack(SPEC, [told], RUN)
    assert kept.folds[0].best_step == 10
    assert kept.folds[0].score is None
    assert_same_weights(kept, train_stack(SPEC, [replace(told, name="again")], RUN))
    longer = train_stack(SPEC, [replace(told, stop_at=20)], RUN)
    assert not torch.equal(
        kept.folds[0].learner.state_dict()["network.null_text"],
        longer.folds[0].learner.state_dict()["network.null_text"],
    )


@pytest.fixture(scope="module")
def straight():
    """Two folds trained without a stop."""
    return train_stack(SPEC, plant_folds(2), RUN)


@pytest.mark.parametrize("reports", [0, 3])
def test_a_killed_run_goes_on_to_the_same_weights(tmp_path, straight, reports):
    state = tmp_path / "state.safetensors"
    with subprocess.Popen([sys.executable, "-c", REPORT_KILLED, str(state)], stdout=subprocess.PIPE) as process:
        for _ in range(reports):
            process.stdout.readline()
        deadline = time.monotonic() + 60
        while not state.exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
    at = cast(int, read_state(state).meta["at"])
    assert 0 < at < TRAINER.steps
    settings = TRAINER.model_copy(update={"save_seconds": 0.0})
    run = replace(RUN, settings=settings, state=state)
    resumed = train_stack(SPEC, plant_folds(2), run)
    assert_same_weights(resumed, straight)
    assert [report.totals.tolist() for report in resumed.reports] == [
        report.totals.tolist() for report in straight.reports
    ]


def test_the_state_of_another_run_is_not_resumed(tmp_path):
    run = replace(RUN, settings=TRAINER.model_copy(update={"save_seconds": 0.0}), state=tmp_path / "state.safetensors")
    train_stack(SPEC, plant_folds(1), run)
    with pytest.raises(RunMismatchError, match="another folder"):
        train_stack(SPEC, [replace(plant_folds(1)[0], seed=77)], run)


def test_staged_training_moves_the_classifier_last_and_alone(tmp_path):
    settings = TRAINER.model_copy(update={"mode": "staged", "steps": 20, "alignment_share": 0.5, "patience": 99})
    fold = replace(plant_folds(1)[0], validation=())
    aligned = train_stack(SPEC, [replace(fold, stop_at=10)], replace(RUN, settings=settings)).folds[0]
    finished = train_stack(SPEC, [replace(fold, stop_at=20)], replace(RUN, settings=settings)).folds[0]
    before, after = aligned.learner.state_dict(), finished.learner.state_dict()
    moved = {name for name, value in before.items() if not torch.equal(value, after[name])}
    assert moved
    assert all(name.startswith("network.classifier.") for name in moved)


def test_the_alignment_phase_never_reads_a_label():
    settings = TRAINER.model_copy(update={"mode": "staged", "steps": 20, "alignment_share": 0.5})
    fold = replace(plant_folds(1)[0], validation=(), stop_at=10)
    swapped = [replace(one, labels={"spectrum": 1 - one.labels["spectrum"]}) for one in fold.train]
    one = train_stack(SPEC, [fold], replace(RUN, settings=settings))
    assert_same_weights(one, train_stack(SPEC, [replace(fold, train=swapped)], replace(RUN, settings=settings)))


def test_documents_of_the_test_part_are_refused_whatever_is_trained():
    fold = plant_folds(1)[0]
    with pytest.raises(HeldOutDocumentError, match="1 families of the test part"):
        train_stack(SPEC, [replace(fold, held_out=frozenset({fold.train[0].family}))], RUN)


def test_a_family_that_trains_and_validates_is_refused():
    fold = plant_folds(1)[0]
    with pytest.raises(FamilyLeakError, match="both the training and the validation part"):
        train_stack(SPEC, [replace(fold, validation=[*fold.validation, fold.train[0]])], RUN)


def test_an_outcome_without_documents_is_refused():
    fold = FoldData(name="fold", seed=1, train=[plant_document(number) for number in range(10)])
    with pytest.raises(OutcomeAbsentError, match="ill"):
        train_stack(SPEC, [fold], RUN)


def test_a_loss_that_is_not_finite_names_fold_step_and_term():
    fold = replace(plant_folds(1)[0], validation=())
    wild = replace(RUN, settings=TRAINER.model_copy(update={"learning_rate": 1e30, "warmup": 0.0}))
    with pytest.raises(DivergedError, match=r"fold 1, step \d+ .*the term \w+ is not finite"):
        train_stack(SPEC, [fold], wild)


def test_terms_can_be_switched_off():
    alone = TermSwitches(
        audio_to_joint=False,
        text_to_joint=False,
        cka=False,
        information_balance=False,
        router_load=False,
        router_z=False,
    )
    spec = replace(SPEC, objective=ObjectiveSettings(terms=alone))
    found = train_stack(spec, plant_folds(1), RUN)
    assert found.reports[-1].terms.keys() == {"spectrum"}
    assert math.isfinite(found.reports[-1].totals[0])
