from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.training.planted import BOUNDS, RECIPE, TRAINER, plant_cohort, plant_folds
from training.baselines.arms import Attempt
from training.config import CandidateSettings
from training.fit.guards import HeldOutDocumentError
from training.fit.prediction import predict_logits
from training.protocol.fold_runs import Fit, Place, fit_all, rebuild

ATTEMPT = Attempt(
    candidate=CandidateSettings(name="only"),
    recipe=RECIPE,
    trainer=TRAINER.model_copy(update={"steps": 10, "stack": 2, "workers": 1}),
    modality_dropout=0.1,
)
FRESH = plant_cohort(300, 12)
FITS = [Fit(material=fold, asked=FRESH) for fold in plant_folds()]


def place(folder, begun=None):
    return Place(
        folder=folder,
        bounds=BOUNDS,
        report=lambda title, look: None,
        begin=lambda title, runs, missing: None if begun is None else begun.append((title, runs, missing)),
    )


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fits")
    return folder, fit_all(ATTEMPT, FITS, place(folder), title="test")


def test_runs_are_stacked_as_far_as_asked(kept):
    assert [len(stack.fits) for stack in kept[1]] == [2, 1]


def test_finished_stacks_are_read_and_not_trained_again(kept):
    folder, stacks = kept
    files = {file.name: file.stat().st_mtime_ns for file in folder.iterdir()}
    begun = []
    again = fit_all(ATTEMPT, FITS, place(folder, begun), title="test")
    assert begun == [("test", 3, 0)]
    assert {file.name: file.stat().st_mtime_ns for file in folder.iterdir()} == files
    for one, other in zip(stacks, again, strict=True):
        for fit, same in zip(one.fits, other.fits, strict=True):
            assert (fit.best_step, fit.score) == (same.best_step, same.score)
            assert np.array_equal(fit.logits["spectrum"], same.logits["spectrum"])
        assert [look.to_json() for look in one.looks] == [look.to_json() for look in other.looks]


def test_a_finished_stack_leaves_no_running_state(kept):
    assert len(list(kept[0].iterdir())) == 2
    assert not list(kept[0].glob("*running*"))


def test_other_documents_are_other_fits(kept, tmp_path):
    folder, _ = kept
    changed = [replace(fit, asked=FRESH[:5]) for fit in FITS[:2]]
    (stack,) = fit_all(ATTEMPT, changed, place(folder), title="test")
    assert len(stack.fits[0].logits["spectrum"]) == 5


def test_a_rebuilt_learner_answers_as_the_fitted_one(kept):
    fit, fitted = FITS[2], kept[1][1].fits[0]
    learner = rebuild(RECIPE, fit, fitted)
    assert np.allclose(predict_logits(learner, FRESH)["spectrum"], fitted.logits["spectrum"], atol=1e-6)
    with torch.no_grad():
        learner.network.null_audio += 1
    assert not learner.training


def test_a_stack_takes_no_more_folds_than_there_is_room_for(tmp_path):
    size = sum(
        one.features.audio.nbytes + one.features.text.nbytes
        for one in (*FITS[0].material.train, *FITS[0].material.validation)
    )
    narrow = ATTEMPT.trainer.model_copy(update={"stack": 8, "stack_megabytes": 1.5 * size / 1e6, "steps": 1})
    stacks = fit_all(replace(ATTEMPT, trainer=narrow), FITS, place(tmp_path), title="test")
    assert [len(stack.fits) for stack in stacks] == [1, 1, 1]


def test_several_workers_make_what_one_makes_and_report_every_look(kept, tmp_path):
    looks = []
    apart = replace(ATTEMPT, trainer=ATTEMPT.trainer.model_copy(update={"workers": 2}))
    watched = replace(place(tmp_path), report=lambda title, look: looks.append((title, look.step)))
    stacks = fit_all(apart, FITS, watched, title="test")
    for one, other in zip(kept[1], stacks, strict=True):
        for fit, same in zip(one.fits, other.fits, strict=True):
            assert all(torch.equal(value, same.weights[name]) for name, value in fit.weights.items())
    assert sorted(looks) == [(f"test, stack {stack} of 2", step) for stack in (1, 2) for step in (5, 10)]


def test_what_a_worker_refuses_reaches_the_caller(tmp_path):
    apart = replace(ATTEMPT, trainer=ATTEMPT.trainer.model_copy(update={"workers": 2, "stack": 1}))
    leaking = replace(FITS[1], material=replace(FITS[1].material, held_out=frozenset({"f1", "f2"})))
    with pytest.raises(HeldOutDocumentError):
        fit_all(apart, [FITS[0], leaking], place(tmp_path), title="test")
