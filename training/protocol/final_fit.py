"""The network that is released: tuned on folds of the whole cohort, fitted on all of it, calibrated out of fold."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from pydantic import JsonValue

from model.network.hilbert import Hilbert
from training.baselines.arms import HILBERT, attempts, describe
from training.config import RunSettings
from training.folds.splits import Split
from training.protocol.experiment import Experiment
from training.protocol.fold_runs import Place
from training.protocol.fold_scoring import calibrate
from training.protocol.nested_selection import Problem, solve
from training.release.checkpoint import Checkpoint, Preparation


def train_final(
    experiment: Experiment, settings: RunSettings, place: Place, *, about: Mapping[str, JsonValue]
) -> Checkpoint:
    """Choose a candidate, the steps and the temperature on the folds of the first repeat, then fit on everybody.

    The temperature rests on predictions for documents whose families the predicting network had not seen.
    """
    folds = [fold for fold in experiment.draw(settings.folds) if fold.repeat == 0]
    problem = Problem(
        name="the whole cohort",
        seed=0,
        train=tuple(range(len(experiment.documents))),
        inner=tuple(Split(train=fold.train, validation=fold.test, test=()) for fold in folds),
    )
    tried = attempts(HILBERT, experiment.dims, settings)
    (solution,), _ = solve([problem], experiment.documents, tried, place)
    choice = solution.choice
    candidate, network = tried[choice.attempt].candidate, solution.learner(tried).network
    assert isinstance(network, Hilbert)  # noqa: S101 - the arm builds no other
    return Checkpoint(
        network=network,
        description=describe(candidate, experiment.dims, settings),
        calibration=calibrate(
            experiment.tasks,
            experiment.documents,
            temperatures=choice.temperatures,
            adjustment=float(settings.objective.logit_adjustment),
        ),
        preparation=Preparation(segments=settings.segments),
        about={
            **about,
            "candidate": candidate.name,
            "steps": choice.stop_at,
            "scores": {
                attempt.candidate.name: score if np.isfinite(score) else None
                for attempt, score in zip(tried, choice.scores, strict=True)
            },
        },
    )
