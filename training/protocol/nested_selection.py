"""Choosing by inner folds alone: a candidate, when to stop, a temperature and thresholds; then one refit.

The outer test part has no say in any of it (Varma and Simon 2006).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from training.baselines.arms import Attempt
from training.documents.labelled import LabelledDocument, read_labels
from training.evaluation.calibration.temperature import fit_temperature
from training.evaluation.metrics import softmax
from training.evaluation.thresholds import choose_threshold
from training.fit.learner import Learner, outcome_shares
from training.fit.run_types import FoldMaterial
from training.folds.splits import Split
from training.protocol.fold_runs import Fit, Fitted, FittedStack, Place, fit_all, mean_score, rebuild


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Something to learn: rows that train, inner splits of them to choose by, and rows that are tested (or none)."""

    name: str
    seed: int
    train: tuple[int, ...]
    inner: tuple[Split, ...]
    test: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class InnerPredictions:
    """Adjusted logits of a problem's training rows by inner networks that had not seen their families."""

    rows: tuple[int, ...]
    logits: Mapping[str, Float[np.ndarray, "document _"]]  # adjustment included


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What the inner folds chose for a problem."""

    attempt: int
    stop_at: int
    scores: tuple[float, ...]  # of each attempt; larger is better
    inner: InnerPredictions
    temperatures: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Solution:
    """A problem solved: the choice, and the network refitted on all of the training rows."""

    choice: Choice
    fit: Fit
    fitted: Fitted
    logits: Mapping[str, Float[np.ndarray, "document _"]]  # of the test rows, adjustment included

    def learner(self, attempts: Sequence[Attempt]) -> Learner:
        """The refitted learner, in evaluation mode."""
        return rebuild(attempts[self.choice.attempt].recipe, self.fit, self.fitted)


def solve(
    problems: Sequence[Problem], documents: Sequence[LabelledDocument], attempts: Sequence[Attempt], place: Place
) -> tuple[tuple[Solution, ...], tuple[FittedStack, ...]]:
    """Solve the problems together, so that their runs can be stacked; also the stacks of the refits."""
    tried = [_try(attempt, problems, documents, place) for attempt in attempts]
    choices = [
        _choose([fits[number] for fits in tried], problem, documents, attempts)
        for number, problem in enumerate(problems)
    ]
    return _refit(problems, choices, documents, attempts, place)


def calibrated_risks(
    logits: Float[np.ndarray, "document outcome"], temperature: float
) -> Float[np.ndarray, "document outcome"]:
    """softmax(adjusted logits / T)."""
    return softmax(logits / temperature)


def choose_thresholds(
    risks: Float[np.ndarray, "document outcome"], labels: np.ndarray
) -> Float[np.ndarray, " outcome"]:
    """For each outcome against the rest the threshold that the labelled inner predictions choose."""
    known = labels >= 0
    return np.array(
        [choose_threshold(risks[known, index], labels[known] == index).value for index in range(risks.shape[1])]
    )


def _try(
    attempt: Attempt, problems: Sequence[Problem], documents: Sequence[LabelledDocument], place: Place
) -> list[list[Fitted]]:
    """The inner fits of every problem."""
    fits = [
        Fit(
            material=FoldMaterial(
                name=f"{problem.name}, inner fold {number + 1}",
                seed=1000 * problem.seed + number + 1,
                train=_pick(documents, split.train),
                validation=_pick(documents, split.validation),
                held_out=_families(documents, problem.test),
            ),
            asked=_pick(documents, split.validation),
        )
        for problem in problems
        for number, split in enumerate(problem.inner)
    ]
    found = [
        fit
        for stack in fit_all(attempt, fits, place, title=f"{place.arm}, tuning, {attempt.candidate.name}")
        for fit in stack.fits
    ]
    ends = np.cumsum([len(problem.inner) for problem in problems])[:-1]
    return [list(part) for part in _split(found, ends.tolist())]


def _choose(
    tried: Sequence[Sequence[Fitted]],
    problem: Problem,
    documents: Sequence[LabelledDocument],
    attempts: Sequence[Attempt],
) -> Choice:
    scores = [mean_score(fits) for fits in tried]
    best = int(np.argmax(scores))
    recipe = attempts[best].recipe
    adjusted: dict[str, list[np.ndarray]] = {}
    for split, fit in zip(problem.inner, tried[best], strict=True):
        train = _pick(documents, split.train)
        for task, logits in fit.logits.items():
            prior = np.log(outcome_shares(recipe.outcomes, train)[task])
            adjusted.setdefault(task, []).append(logits + recipe.objective.logit_adjustment * prior)
    rows = tuple(row for split in problem.inner for row in split.validation)
    inner = InnerPredictions(rows=rows, logits={task: np.concatenate(parts) for task, parts in adjusted.items()})
    tested = _pick(documents, rows)
    return Choice(
        attempt=best,
        stop_at=max(1, round(float(np.median([fit.best_step for fit in tried[best]])))),
        scores=tuple(scores),
        inner=inner,
        temperatures={
            task: fit_temperature(logits, read_labels(tested, task)) for task, logits in inner.logits.items()
        },
    )


def _refit(
    problems: Sequence[Problem],
    choices: Sequence[Choice],
    documents: Sequence[LabelledDocument],
    attempts: Sequence[Attempt],
    place: Place,
) -> tuple[tuple[Solution, ...], tuple[FittedStack, ...]]:
    solutions: dict[int, Solution] = {}
    stacks: list[FittedStack] = []
    for number, attempt in enumerate(attempts):
        chosen = [at for at, choice in enumerate(choices) if choice.attempt == number]
        fits = [_final_fit(problems[at], choices[at], documents) for at in chosen]
        made = fit_all(attempt, fits, place, title=f"{place.arm}, refit, {attempt.candidate.name}") if fits else ()
        stacks += made
        fitted = [fit for stack in made for fit in stack.fits]
        for at, fit, found in zip(chosen, fits, fitted, strict=True):
            shares = outcome_shares(attempt.recipe.outcomes, fit.material.train)
            adjustment = attempt.recipe.objective.logit_adjustment
            solutions[at] = Solution(
                choice=choices[at],
                fit=fit,
                fitted=found,
                logits={task: logits + adjustment * np.log(shares[task]) for task, logits in found.logits.items()},
            )
    return tuple(solutions[at] for at in range(len(problems))), tuple(stacks)


def _final_fit(problem: Problem, choice: Choice, documents: Sequence[LabelledDocument]) -> Fit:
    return Fit(
        material=FoldMaterial(
            name=problem.name,
            seed=1000 * problem.seed,
            train=_pick(documents, problem.train),
            stop_at=choice.stop_at,
            held_out=_families(documents, problem.test),
        ),
        asked=_pick(documents, problem.test),
    )


def _pick(documents: Sequence[LabelledDocument], rows: Sequence[int]) -> list[LabelledDocument]:
    return [documents[row] for row in rows]


def _families(documents: Sequence[LabelledDocument], rows: Sequence[int]) -> frozenset[str]:
    return frozenset(documents[row].family for row in rows)


def _split(found: Sequence[Fitted], ends: Sequence[int]) -> list[Sequence[Fitted]]:
    starts = [0, *ends]
    return [found[start:end] for start, end in zip(starts, [*ends, len(found)], strict=True)]
