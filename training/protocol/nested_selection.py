"""Nested model selection: inner folds choose a candidate, the number of steps, a temperature and thresholds.

One refit on the whole training part follows. The outer test part has no influence on any choice (Varma and Simon 2006).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from training.baselines.arms import ArmCandidate
from training.documents.labelled import LabelledDocument, read_labels
from training.evaluation.calibration.temperature import fit_temperature
from training.evaluation.decisions import choose_threshold
from training.fit.learner import Learner, outcome_shares
from training.fit.run_types import FoldData
from training.folds.splits import Split
from training.protocol.fold_runs import FitRequest, FitResult, RunContext, StackResult, fit_all, mean_score, rebuild


@dataclass(frozen=True, slots=True, kw_only=True)
class SelectionProblem:
    """Rows of a cohort to train on, inner splits of them to select by, and rows to test on (or none)."""

    name: str
    seed: int
    train: tuple[int, ...]
    inner: tuple[Split, ...]
    test: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class InnerPredictions:
    """Logits of the training rows by inner networks that did not see their families; logit adjustment included."""

    rows: tuple[int, ...]
    logits: Mapping[str, Float[np.ndarray, "document _"]]


@dataclass(frozen=True, slots=True, kw_only=True)
class InnerSelection:
    """The selection by the inner folds.

    `candidate` is an index; `scores` has the mean validation score of each candidate (larger is better).
    """

    candidate: int
    stop_at: int
    scores: tuple[float, ...]
    inner: InnerPredictions
    temperatures: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class SelectionResult:
    """The selection, the refit on all training rows, and its logits of the test rows, logit adjustment included."""

    selection: InnerSelection
    request: FitRequest
    fit: FitResult
    logits: Mapping[str, Float[np.ndarray, "document _"]]

    def learner(self, candidates: Sequence[ArmCandidate]) -> Learner:
        """The refitted learner, in evaluation mode."""
        return rebuild(candidates[self.selection.candidate].spec, self.request, self.fit)


def select_and_refit(
    problems: Sequence[SelectionProblem],
    documents: Sequence[LabelledDocument],
    candidates: Sequence[ArmCandidate],
    context: RunContext,
) -> tuple[tuple[SelectionResult, ...], tuple[StackResult, ...]]:
    """Solve the problems together, so that their fits share stacks; also returns the stacks of the refits.

    See docs/method.md (T7, T8).
    """
    fits = [_fit_inner(candidate, problems, documents, context) for candidate in candidates]
    selections = [
        _select([by_problem[number] for by_problem in fits], problem, documents, candidates)
        for number, problem in enumerate(problems)
    ]
    return _refit(problems, selections, documents, candidates, context)


def choose_thresholds(
    risks: Float[np.ndarray, "document outcome"], labels: np.ndarray
) -> Float[np.ndarray, " outcome"]:
    """The threshold of each outcome against the rest, chosen on labelled inner predictions.

    See docs/method.md (E10).
    """
    known = labels >= 0
    return np.array([choose_threshold(risks[known, index], labels[known] == index) for index in range(risks.shape[1])])


def _fit_inner(
    candidate: ArmCandidate,
    problems: Sequence[SelectionProblem],
    documents: Sequence[LabelledDocument],
    context: RunContext,
) -> list[list[FitResult]]:
    """The inner fits of one candidate, by problem."""
    requests = [
        FitRequest(
            data=FoldData(
                name=f"{problem.name}, inner fold {number + 1}",
                # A thousand seeds for each problem, the first for its refit: no two
                # fits of one candidate have the same seed.
                seed=1000 * problem.seed + number + 1,
                train=_pick(documents, split.train),
                validation=_pick(documents, split.validation),
                # An inner fold must not train on the outer test families either, not even without labels (T11).
                held_out=_families(documents, problem.test),
            ),
            predict_on=_pick(documents, split.validation),
        )
        for problem in problems
        for number, split in enumerate(problem.inner)
    ]
    results = [
        fit
        for stack in fit_all(candidate, requests, context, title=f"{context.arm}, tuning, {candidate.settings.name}")
        for fit in stack.fits
    ]
    ends = np.cumsum([len(problem.inner) for problem in problems])[:-1]
    return [list(part) for part in _split(results, ends.tolist())]


def _select(
    fits: Sequence[Sequence[FitResult]],
    problem: SelectionProblem,
    documents: Sequence[LabelledDocument],
    candidates: Sequence[ArmCandidate],
) -> InnerSelection:
    scores = [mean_score(results) for results in fits]
    best = int(np.argmax(scores))
    spec = candidates[best].spec
    adjusted: dict[str, list[np.ndarray]] = {}
    for split, fit in zip(problem.inner, fits[best], strict=True):
        train = _pick(documents, split.train)
        for task, logits in fit.logits.items():
            # Each inner network was trained with the outcome shares of its own training part (L13).
            prior = np.log(outcome_shares(spec.outcomes, train)[task])
            adjusted.setdefault(task, []).append(logits + spec.objective.logit_adjustment * prior)
    rows = tuple(row for split in problem.inner for row in split.validation)
    inner = InnerPredictions(rows=rows, logits={task: np.concatenate(parts) for task, parts in adjusted.items()})
    validation = _pick(documents, rows)
    return InnerSelection(
        candidate=best,
        # At least 1: with 0 the refit would keep its initial weights.
        stop_at=max(1, round(float(np.median([fit.best_step for fit in fits[best]])))),
        scores=tuple(scores),
        inner=inner,
        # On predictions of families that a network did not see: logits of its training documents are too confident.
        temperatures={
            task: fit_temperature(logits, read_labels(validation, task)) for task, logits in inner.logits.items()
        },
    )


def _refit(
    problems: Sequence[SelectionProblem],
    selections: Sequence[InnerSelection],
    documents: Sequence[LabelledDocument],
    candidates: Sequence[ArmCandidate],
    context: RunContext,
) -> tuple[tuple[SelectionResult, ...], tuple[StackResult, ...]]:
    results: dict[int, SelectionResult] = {}
    stacks: list[StackResult] = []
    # A stack holds one architecture, so refits are grouped by candidate.
    for number, candidate in enumerate(candidates):
        chosen = [at for at, selection in enumerate(selections) if selection.candidate == number]
        requests = [_refit_request(problems[at], selections[at], documents) for at in chosen]
        title = f"{context.arm}, refit, {candidate.settings.name}"
        refits = fit_all(candidate, requests, context, title=title) if requests else ()
        stacks += refits
        fits = [fit for stack in refits for fit in stack.fits]
        for at, request, fit in zip(chosen, requests, fits, strict=True):
            shares = outcome_shares(candidate.spec.outcomes, request.data.train)
            adjustment = candidate.spec.objective.logit_adjustment
            results[at] = SelectionResult(
                selection=selections[at],
                request=request,
                fit=fit,
                logits={task: logits + adjustment * np.log(shares[task]) for task, logits in fit.logits.items()},
            )
    return tuple(results[at] for at in range(len(problems))), tuple(stacks)


def _refit_request(
    problem: SelectionProblem, selection: InnerSelection, documents: Sequence[LabelledDocument]
) -> FitRequest:
    return FitRequest(
        data=FoldData(
            name=problem.name,
            seed=1000 * problem.seed,
            train=_pick(documents, problem.train),
            stop_at=selection.stop_at,
            held_out=_families(documents, problem.test),
        ),
        predict_on=_pick(documents, problem.test),
    )


def _pick(documents: Sequence[LabelledDocument], rows: Sequence[int]) -> list[LabelledDocument]:
    return [documents[row] for row in rows]


def _families(documents: Sequence[LabelledDocument], rows: Sequence[int]) -> frozenset[str]:
    return frozenset(documents[row].family for row in rows)


def _split(results: Sequence[FitResult], ends: Sequence[int]) -> list[Sequence[FitResult]]:
    starts = [0, *ends]
    return [results[start:end] for start, end in zip(starts, [*ends, len(results)], strict=True)]
