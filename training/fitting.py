"""Fitting many runs in stacks, each finished stack kept on disk, so that a killed evaluation loses one at most."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from training.batches import LabelledDocument, digest_documents
from training.learner import Learner, Recipe, build_learner
from training.lineup.arms import Attempt
from training.material import FoldMaterial, Look, Run, TrainedFold
from training.prediction import Logits, predict_logits
from training.trainer import identify_run, train_stack
from training.training_state import TrainingState, read_state, write_state


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """A run and the documents whose logits are wanted of it."""

    material: FoldMaterial
    asked: Sequence[LabelledDocument]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """What is kept of a run: where it stopped, its validation score, logits of the documents asked for, weights."""

    best_step: int
    score: float | None
    logits: Logits
    weights: Mapping[str, Tensor]


@dataclass(frozen=True, slots=True, kw_only=True)
class FittedStack:
    """The fits of one stack, and the looks on the way."""

    fits: tuple[Fitted, ...]
    looks: tuple[Look, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where fits are kept, the lengths to pad to, and whom to tell."""

    folder: Path
    bounds: tuple[int, ...]
    report: Callable[[str, Look], None]
    begin: Callable[[str, int], None]


def fit_all(attempt: Attempt, fits: Sequence[Fit], place: Place, *, title: str) -> Iterator[FittedStack]:
    """Train the runs in stacks, in the order given; stacks that were finished before are read."""
    size = _stack_size(attempt, fits)
    for start in range(0, len(fits), size):
        members = fits[start : start + size]
        place.begin(title, len(members))
        yield _fit_stack(attempt, members, place, title)


def rebuild(recipe: Recipe, fit: Fit, fitted: Fitted) -> Learner:
    """The learner of a fit, in evaluation mode."""
    learner = build_learner(recipe, fit.material.train, fit.material.seed)
    learner.load_state_dict(dict(fitted.weights))
    return learner.eval()


def _fit_stack(attempt: Attempt, fits: Sequence[Fit], place: Place, title: str) -> FittedStack:
    materials = [fit.material for fit in fits]
    run = Run(
        settings=attempt.trainer,
        modality_dropout=attempt.modality_dropout,
        bounds=place.bounds,
        report=lambda look: place.report(title, look),
    )
    asked = "".join(digest_documents(fit.asked) for fit in fits)
    identity = identify_run(attempt.recipe, materials, run, beside=asked)
    finished = place.folder / f"{identity}.safetensors"
    kept = read_state(finished)
    if kept is None:
        running = place.folder / f"{identity}.running.safetensors"
        trained = train_stack(attempt.recipe, materials, replace(run, state=running))
        kept = _pack([_ask(fit, one) for fit, one in zip(fits, trained.folds, strict=True)], trained.looks)
        write_state(finished, kept)
        running.unlink(missing_ok=True)
    return _unpack(kept)


def _ask(fit: Fit, trained: TrainedFold) -> Fitted:
    return Fitted(
        best_step=trained.best_step,
        score=trained.score,
        logits=predict_logits(trained.learner, fit.asked) if fit.asked else {},
        weights=trained.learner.state_dict(),
    )


def _stack_size(attempt: Attempt, fits: Sequence[Fit]) -> int:
    """As many as asked for, or as their features have room."""
    largest = max(
        sum(
            one.features.audio.nbytes + one.features.text.nbytes
            for one in (*fit.material.train, *fit.material.validation)
        )
        for fit in fits
    )
    room = int(attempt.trainer.stack_megabytes * 1e6 // max(1, largest))
    return max(1, min(attempt.trainer.stack, room))


def _pack(fits: Sequence[Fitted], looks: Sequence[Look]) -> TrainingState:
    tensors: dict[str, Tensor] = {}
    for number, fit in enumerate(fits):
        tensors |= {f"{number}/logits/{task}": torch.from_numpy(values) for task, values in fit.logits.items()}
        tensors |= {f"{number}/weights/{name}": value for name, value in fit.weights.items()}
    return TrainingState(
        tensors=tensors,
        meta={
            "steps": [fit.best_step for fit in fits],
            "scores": [fit.score for fit in fits],
            "looks": [look.to_json() for look in looks],
        },
    )


def _unpack(kept: TrainingState) -> FittedStack:
    steps, scores, looks = (kept.meta[name] for name in ("steps", "scores", "looks"))
    assert isinstance(steps, list)  # noqa: S101 - written by `_pack`
    assert isinstance(scores, list)  # noqa: S101
    assert isinstance(looks, list)  # noqa: S101
    return FittedStack(
        fits=tuple(
            Fitted(
                best_step=int(str(step)),
                score=None if score is None else float(str(score)),
                logits={name: value.numpy() for name, value in _below(f"{number}/logits/", kept.tensors).items()},
                weights=_below(f"{number}/weights/", kept.tensors),
            )
            for number, (step, score) in enumerate(zip(steps, scores, strict=True))
        ),
        looks=tuple(Look.from_json(look) for look in looks),
    )


def _below(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def mean_score(fits: Sequence[Fitted]) -> float:
    """Mean validation score; larger is better."""
    return float(np.mean([-np.inf if fit.score is None else fit.score for fit in fits]))
