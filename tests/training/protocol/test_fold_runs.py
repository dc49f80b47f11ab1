from dataclasses import replace
from typing import cast

import numpy as np
import pytest
import torch

from model.network.hilbert import Hilbert
from tests.training.planted import BOUNDS, SPEC, TRAINER, plant_cohort, plant_folds
from training.baselines.arms import ArmCandidate
from training.config import CandidateSettings
from training.errors import HeldOutDocumentError
from training.fit.prediction import predict_logits
from training.protocol.fold_runs import FitRequest, RunContext, fit_all, rebuild

CANDIDATE = ArmCandidate(
    settings=CandidateSettings(name="only"),
    spec=SPEC,
    trainer=TRAINER.model_copy(update={"steps": 10, "stack": 2, "workers": 1}),
    modality_dropout=0.1,
)
FRESH = plant_cohort(300, 12)
FITS = [FitRequest(data=fold, predict_on=FRESH) for fold in plant_folds()]


def context(folder, begun=None):
    return RunContext(
        folder=folder,
        bounds=BOUNDS,
        report_epoch=lambda title, report: None,
        start_group=lambda title, fits, missing: None if begun is None else begun.append((title, fits, missing)),
    )


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fits")
    return folder, fit_all(CANDIDATE, FITS, context(folder), title="test")


def test_runs_are_stacked_up_to_the_configured_number(kept):
    assert [len(stack.fits) for stack in kept[1]] == [2, 1]


def test_finished_stacks_are_read_and_not_trained_again(kept):
    folder, stacks = kept
    files = {file.name: file.stat().st_mtime_ns for file in folder.iterdir()}
    begun: list[tuple[str, int, int]] = []
    again = fit_all(CANDIDATE, FITS, context(folder, begun), title="test")
    assert begun == [("test", 3, 0)]
    assert {file.name: file.stat().st_mtime_ns for file in folder.iterdir()} == files
    for one, other in zip(stacks, again, strict=True):
        for fit, same in zip(one.fits, other.fits, strict=True):
            assert (fit.best_step, fit.score) == (same.best_step, same.score)
            assert np.array_equal(fit.logits["spectrum"], same.logits["spectrum"])
        assert [report.to_json() for report in one.reports] == [report.to_json() for report in other.reports]


def test_a_finished_stack_leaves_no_running_state(kept):
    assert len(list(kept[0].iterdir())) == 2
    assert not list(kept[0].glob("*running*"))


def test_other_documents_are_other_fits(kept, tmp_path):
    folder, _ = kept
    changed = [replace(fit, predict_on=FRESH[:5]) for fit in FITS[:2]]
    (stack,) = fit_all(CANDIDATE, changed, context(folder), title="test")
    assert len(stack.fits[0].logits["spectrum"]) == 5


def test_a_rebuilt_learner_has_the_predictions_of_the_fitted_one(kept):
    fit, fitted = FITS[2], kept[1][1].fits[0]
    learner = rebuild(SPEC, fit, fitted)
    assert np.allclose(predict_logits(learner, FRESH)["spectrum"], fitted.logits["spectrum"], atol=1e-6)
    with torch.no_grad():
        cast(Hilbert, learner.network).null_audio.add_(1)
    assert not learner.training


def test_a_stack_takes_no_more_folds_than_there_is_room_for(tmp_path):
    size = sum(
        one.features.audio.nbytes + one.features.text.nbytes for one in (*FITS[0].data.train, *FITS[0].data.validation)
    )
    narrow = CANDIDATE.trainer.model_copy(update={"stack": 8, "stack_megabytes": 1.5 * size / 1e6, "steps": 1})
    stacks = fit_all(replace(CANDIDATE, trainer=narrow), FITS, context(tmp_path), title="test")
    assert [len(stack.fits) for stack in stacks] == [1, 1, 1]


def test_several_workers_give_the_results_of_one_and_report_every_epoch(kept, tmp_path):
    reports = []
    apart = replace(CANDIDATE, trainer=CANDIDATE.trainer.model_copy(update={"workers": 2}))
    watched = replace(context(tmp_path), report_epoch=lambda title, report: reports.append((title, report.step)))
    stacks = fit_all(apart, FITS, watched, title="test")
    for one, other in zip(kept[1], stacks, strict=True):
        for fit, same in zip(one.fits, other.fits, strict=True):
            assert all(torch.equal(value, same.weights[name]) for name, value in fit.weights.items())
    assert sorted(reports) == [(f"test, stack {stack} of 2", step) for stack in (1, 2) for step in (5, 10)]


def test_what_a_worker_refuses_reaches_the_caller(tmp_path):
    apart = replace(CANDIDATE, trainer=CANDIDATE.trainer.model_copy(update={"workers": 2, "stack": 1}))
    leaking = replace(FITS[1], data=replace(FITS[1].data, held_out=frozenset({"f1", "f2"})))
    with pytest.raises(HeldOutDocumentError):
        fit_all(apart, [FITS[0], leaking], context(tmp_path), title="test")
