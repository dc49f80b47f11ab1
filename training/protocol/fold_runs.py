"""Fitting many runs in stacks, each finished stack kept on disk, so that a killed evaluation loses one at most."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from training.baselines.arms import Attempt
from training.documents.labelled import LabelledDocument, digest_documents
from training.fit.learner import Learner, Recipe, build_learner
from training.fit.parallel import Report, work_off
from training.fit.prediction import Logits, predict_logits
from training.fit.resume import TrainingState, read_state, write_state
from training.fit.run_types import FoldMaterial, Look, Run, TrainedFold
from training.fit.trainer import identify_run, train_stack


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
    report: Report
    begin: Callable[[str, int, int], None]  # title, runs, and how many of them are yet to be trained
    arm: str = "hilbert"  # whose runs, in words


def fit_all(attempt: Attempt, fits: Sequence[Fit], place: Place, *, title: str) -> tuple[FittedStack, ...]:
    """Train the runs in stacks, in the order given; stacks that were finished before are read."""
    size = _stack_size(attempt, fits)
    starts = range(0, len(fits), size)
    stacks = [
        Stacked(
            attempt=attempt,
            fits=tuple(fits[start : start + size]),
            folder=place.folder,
            bounds=place.bounds,
            title=f"{title}, stack {number} of {len(starts)}",
        )
        for number, start in enumerate(starts, start=1)
    ]
    missing = [stack for stack in stacks if not stack.finished.exists()]
    place.begin(title, len(fits), sum(len(stack.fits) for stack in missing))
    work_off(missing, workers=attempt.trainer.workers, report=place.report)
    return tuple(stack.read() for stack in stacks)


def rebuild(recipe: Recipe, fit: Fit, fitted: Fitted) -> Learner:
    """The learner of a fit, in evaluation mode."""
    learner = build_learner(recipe, fit.material.train, fit.material.seed)
    learner.load_state_dict(dict(fitted.weights))
    return learner.eval()


@dataclass(frozen=True, kw_only=True)
class Stacked:
    """Some fits to be trained as one stack, and where they are kept; small enough to be sent to another process."""

    attempt: Attempt
    fits: tuple[Fit, ...]
    folder: Path
    bounds: tuple[int, ...]
    title: str

    def __call__(self, report: Report) -> None:
        """Train the stack and keep it."""
        running = self.folder / f"{self.identity}.running.safetensors"
        run = replace(self._run, state=running, report=lambda look: report(self.title, look))
        trained = train_stack(self.attempt.recipe, self._materials, run)
        asked = [_ask(fit, one) for fit, one in zip(self.fits, trained.folds, strict=True)]
        write_state(self.finished, _pack(asked, trained.looks))
        running.unlink(missing_ok=True)

    def read(self) -> FittedStack:
        """The finished stack."""
        kept = read_state(self.finished)
        assert kept is not None  # noqa: S101 - it was trained before
        return _unpack(kept)

    @property
    def finished(self) -> Path:
        """The file it is kept in."""
        return self.folder / f"{self.identity}.safetensors"

    @cached_property
    def identity(self) -> str:
        """Digest of all that decides it."""
        asked = "".join(digest_documents(fit.asked) for fit in self.fits)
        return identify_run(self.attempt.recipe, self._materials, self._run, beside=asked)

    @property
    def _materials(self) -> list[FoldMaterial]:
        return [fit.material for fit in self.fits]

    @property
    def _run(self) -> Run:
        return Run(settings=self.attempt.trainer, modality_dropout=self.attempt.modality_dropout, bounds=self.bounds)


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
