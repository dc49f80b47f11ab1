"""The nested protocol for every arm of the line-up: out-of-fold risks, thresholds and temperatures."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from training.baselines.arms import TITLES, Attempt, attempts
from training.baselines.late_fusion import Voices, fit_fusion, fuse, voices_of
from training.config import ArmName, RunSettings
from training.evaluation.evidence import ArmEvidence
from training.evaluation.metrics import softmax
from training.evaluation.out_of_fold import gather
from training.folds.nested import OuterFold
from training.protocol.experiment import Experiment, outer_problems
from training.protocol.fold_runs import FittedStack, Place
from training.protocol.nested_selection import InnerPredictions, Solution, choose_thresholds, solve


@dataclass(frozen=True, slots=True, kw_only=True)
class SolvedArm:
    """An arm on all outer folds: what was tried, what came of each fold, the refits' stacks, seconds."""

    name: ArmName
    attempts: tuple[Attempt, ...]
    solutions: tuple[Solution, ...]
    stacks: tuple[FittedStack, ...]
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class FoldPrediction:
    """One fold's test rows: logits before the temperature, which divides them, and what inner folds chose.

    `risks` are given where something else than softmax(logits / temperature) computed them: what ships.
    """

    logits: Float[np.ndarray, "test outcome"]
    temperature: float
    thresholds: Float[np.ndarray, " outcome"]
    chosen: str
    risks: Float[np.ndarray, "test outcome"] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """The tuning budget, in candidates, and the seconds that an arm took."""

    candidates: int
    seconds: float


def solve_arm(
    arm: ArmName, experiment: Experiment, folds: Sequence[OuterFold], settings: RunSettings, place: Place
) -> SolvedArm:
    """Tune, refit and test an arm on every outer fold."""
    began = time.monotonic()
    tried = attempts(arm, experiment.dims, settings)
    solutions, stacks = solve(outer_problems(folds), experiment.documents, tried, replace(place, arm=TITLES[arm]))
    return SolvedArm(name=arm, attempts=tried, solutions=solutions, stacks=stacks, seconds=time.monotonic() - began)


def predict(solved: SolvedArm, experiment: Experiment) -> tuple[FoldPrediction, ...]:
    """The fold predictions of a trained arm."""
    task, found = experiment.task, []
    for solution in solved.solutions:
        choice = solution.choice
        temperature = choice.temperatures[task]
        inner = softmax(choice.inner.logits[task] / temperature)
        found.append(
            FoldPrediction(
                logits=solution.logits[task],
                temperature=temperature,
                thresholds=choose_thresholds(inner, experiment.labels()[list(choice.inner.rows)]),
                chosen=solved.attempts[choice.attempt].candidate.name,
            )
        )
    return tuple(found)


def fuse_late(
    audio: SolvedArm, text: SolvedArm, experiment: Experiment, folds: Sequence[OuterFold]
) -> tuple[FoldPrediction, ...]:
    """Late fusion of two solved arms; weight, temperature and thresholds come from the inner folds."""
    task, labels = experiment.task, experiment.labels()
    found = []
    for one, other, fold in zip(audio.solutions, text.solutions, folds, strict=True):
        temperatures = one.choice.temperatures[task], other.choice.temperatures[task]
        rows = one.choice.inner.rows
        inner = voices_of(
            _aligned(one.choice.inner, rows, task) / temperatures[0],
            _aligned(other.choice.inner, rows, task) / temperatures[1],
            _present(experiment, rows),
        )
        fusion = fit_fusion(inner, labels[list(rows)])
        tested: Voices = voices_of(
            one.logits[task] / temperatures[0], other.logits[task] / temperatures[1], _present(experiment, fold.test)
        )
        risks = softmax(fuse(inner, fusion.weight) / fusion.temperature)
        found.append(
            FoldPrediction(
                logits=fuse(tested, fusion.weight),
                temperature=fusion.temperature,
                thresholds=choose_thresholds(risks, labels[list(rows)]),
                chosen=f"audio weighs {fusion.weight:.2f}",
            )
        )
    return tuple(found)


def to_evidence(
    name: ArmName,
    predictions: Sequence[FoldPrediction],
    experiment: Experiment,
    folds: Sequence[OuterFold],
    *,
    effort: Effort,
) -> ArmEvidence:
    """An arm's evidence."""
    outcomes = experiment.tasks[experiment.task]
    calibrated = [softmax(one.logits / one.temperature) if one.risks is None else one.risks for one in predictions]
    families, labels = experiment.families, experiment.labels()
    shape = (1 + max(fold.repeat for fold in folds), 1 + max(fold.number for fold in folds))
    thresholds, temperatures = np.full((*shape, len(outcomes)), np.nan), np.full(shape, np.nan)
    for fold, one in zip(folds, predictions, strict=True):
        thresholds[fold.repeat, fold.number] = one.thresholds
        temperatures[fold.repeat, fold.number] = one.temperature
    plain = gather(folds, [softmax(one.logits) for one in predictions], families, labels, outcomes)
    return ArmEvidence(
        name=name,
        title=TITLES[name],
        found=gather(folds, calibrated, families, labels, outcomes),
        thresholds=thresholds,
        temperatures=temperatures,
        uncalibrated=plain.probabilities,
        candidates=effort.candidates,
        chosen=tuple(one.chosen for one in predictions),
        seconds=effort.seconds,
    )


def _aligned(inner: InnerPredictions, rows: Sequence[int], task: str) -> np.ndarray:
    """Inner logits in the order of `rows`."""
    order = {row: position for position, row in enumerate(inner.rows)}
    return np.asarray(inner.logits[task][[order[row] for row in rows]])


def _present(experiment: Experiment, rows: Sequence[int]) -> Mapping[str, list[bool]]:
    features = [experiment.documents[row].features for row in rows]
    return {
        "audio": [bool(one.audio_mask.any()) for one in features],
        "text": [bool(one.text_mask.any()) for one in features],
    }
