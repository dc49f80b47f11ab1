"""Train the network for a release: tuned by cross-validation, fitted on the whole cohort, calibrated out of fold."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from pydantic import JsonValue

from model.config import QualitySettings
from model.network.hilbert import Hilbert
from training.baselines.arms import HILBERT, arm_candidates, describe_network
from training.config import RunSettings
from training.folds.splits import Split
from training.protocol.experiment import Experiment
from training.protocol.fold_runs import RunContext
from training.protocol.fold_scoring import make_calibration
from training.protocol.nested_selection import SelectionProblem, select_and_refit
from training.release.checkpoint import PreparationSettings, ReleaseCheckpoint


def train_final(
    experiment: Experiment, settings: RunSettings, context: RunContext, *, about: Mapping[str, JsonValue]
) -> ReleaseCheckpoint:
    """Select a candidate, the steps and the temperature on the folds of the first repeat, then fit on all documents.

    The temperature is fitted on predictions by networks that did not see the families of the predicted documents.

    See docs/method.md (T9).
    """
    # One repeat predicts each document once. With more, a document would count several times in the temperature.
    folds = [fold for fold in experiment.draw(settings.folds) if fold.repeat == 0]
    problem = SelectionProblem(
        name="the whole cohort",
        seed=0,
        train=tuple(range(len(experiment.documents))),
        # The outer folds serve as inner ones, and nobody is held out: the network is fitted to the whole cohort (T9).
        inner=tuple(Split(train=fold.train, validation=fold.test, test=()) for fold in folds),
    )
    candidates = arm_candidates(HILBERT, experiment.dims, settings)
    (result,), _ = select_and_refit([problem], experiment.documents, candidates, context)
    selection = result.selection
    chosen, network = candidates[selection.candidate].settings, result.learner(candidates).network
    assert isinstance(network, Hilbert)  # noqa: S101 - the type of this arm's network
    return ReleaseCheckpoint(
        network=network,
        description=describe_network(chosen, experiment.dims, settings),
        calibration=make_calibration(
            experiment.tasks,
            experiment.documents,
            temperatures=selection.temperatures,
            adjustment=float(settings.objective.logit_adjustment),
        ),
        preparation=PreparationSettings(
            segments=settings.segments, quality=QualitySettings(languages=settings.languages)
        ),
        about={
            **about,
            "candidate": chosen.name,
            "steps": selection.stop_at,
            "scores": {
                # JSON has no infinity, the score of a candidate without a defined one.
                candidate.settings.name: score if np.isfinite(score) else None
                for candidate, score in zip(candidates, selection.scores, strict=True)
            },
        },
    )
