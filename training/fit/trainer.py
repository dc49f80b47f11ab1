"""Training a stack of folds: whole-fold batches, AdamW, warm-up and cosine, early stopping, a state that resumes.

Chance is a function of a fold's seed and the step, never of what ran before: a resumed run, a fold in a stack and
the same fold alone all meet the same dropout.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from functools import cached_property

import numpy as np
import torch
from pydantic import JsonValue
from torch import Tensor

from training.config import TrainerSettings
from training.documents.labelled import LabelledDocument, digest_documents
from training.documents.padding import choose_bounds
from training.documents.stacked import StackedDocuments, draw_noise, drop_modalities, stack_documents
from training.evaluation.metrics import softmax
from training.fit.early_stopping import Kept
from training.fit.fold_stack import Stack, Weights
from training.fit.guards import refuse_divergence, refuse_overlap
from training.fit.learner import Recipe, build_learner
from training.fit.optimiser import (
    clip_by_fold,
    open_optimiser,
    read_moments,
    restore_moments,
    set_rate,
    warm_up_then_cosine,
)
from training.fit.resume import TrainingState, read_state, write_state
from training.fit.run_types import FoldMaterial, Look, Run, TrainedFold, TrainedStack
from training.fit.schedule import Phase, plan_phases
from training.fit.stopping_metric import score


class OtherRunError(RuntimeError):
    """The state found on disk belongs to a run with other documents or settings."""


def train_stack(recipe: Recipe, folds: Sequence[FoldMaterial], run: Run) -> TrainedStack:
    """Train some folds as one stack, from fresh weights or from the state that a killed run left.

    All folds have validation documents or none has. Equal arguments give equal weights on one machine and thread
    count, interrupted or not. Raises FamilyLeakError, HeldOutDocumentError, OutcomeAbsentError, DivergedError and
    OtherRunError.
    """
    for fold in folds:
        refuse_overlap(fold.name, fold.train, fold.validation, fold.held_out)
    torch.set_num_threads(run.settings.threads)
    course = _Course(recipe, folds, run)
    course.resume()
    while not course.finished:
        course.advance()
    return course.result()


def choose_device(settings: TrainerSettings) -> torch.device:
    """The device named by the settings; `auto` takes a GPU when there is one."""
    gpu = settings.device == "cuda" or (settings.device == "auto" and torch.cuda.is_available())
    return torch.device("cuda" if gpu else "cpu")


class _Course:
    """The moving parts of a stack's training."""

    def __init__(self, recipe: Recipe, folds: Sequence[FoldMaterial], run: Run) -> None:
        self.recipe, self.folds, self.run, self.settings = recipe, folds, run, run.settings
        device = choose_device(run.settings)
        self.stack = Stack([build_learner(recipe, fold.train, fold.seed) for fold in folds], device)
        self.bounds = run.bounds or _bounds(folds)
        self.train = self._place([fold.train for fold in folds]).to(device)
        self.validation: StackedDocuments | None = None
        if folds[0].validation:
            self.validation = self._place([fold.validation for fold in folds]).to(device)
        self.phases = plan_phases(run.settings, recipe.objective.terms, tuple(recipe.outcomes))
        self.optimiser = open_optimiser(self._moving(self.phases[0]), run.settings)
        self.kept = Kept(folds, self.stack.parameters, run.settings)
        self.at = 0
        self.looks: list[Look] = []
        self.saved = time.monotonic()

    @property
    def finished(self) -> bool:
        """Whether every fold has what it needs."""
        return self.at >= self.settings.steps or self._count_done() == len(self.folds)

    def advance(self) -> None:
        """One whole-fold step of all folds, with what belongs after it."""
        phase = self._phase
        if self.at == phase.first and self.at:
            self.optimiser = open_optimiser(self._moving(phase), self.settings)
        totals, terms = self._descend(phase)
        self.at += 1
        refuse_divergence([fold.name for fold in self.folds], self.at, totals, terms)
        self.kept.keep_due(self.stack.parameters, self.at)
        if self.at % self.settings.look_every == 0 or self.at == self.settings.steps:
            self._look(phase, totals, terms)
        if self.run.state and time.monotonic() - self.saved >= self.settings.save_seconds:
            self._save()

    def result(self) -> TrainedStack:
        """The kept weights of every fold."""
        return TrainedStack(
            folds=tuple(
                TrainedFold(
                    name=fold.name,
                    learner=self.stack.unstack(self.kept.weights, number),
                    best_step=self.kept.steps[number],
                    score=self.kept.scores[number] if fold.validation else None,
                )
                for number, fold in enumerate(self.folds)
            ),
            looks=tuple(self.looks),
        )

    def resume(self) -> None:
        """Go on from the saved state, if there is one."""
        state = read_state(self.run.state) if self.run.state else None
        if state is None:
            return
        if state.meta["identity"] != self._identity:
            raise OtherRunError("the kept state belongs to a run with other documents or settings: use another folder")
        self.at = int(str(state.meta["at"]))
        with torch.no_grad():
            for name in self.stack.parameters:
                self.stack.parameters[name].copy_(state.tensors[f"now/{name}"])
                self.kept.weights[name].copy_(state.tensors[f"kept/{name}"])
        moving = self._moving(self._phase)
        self.optimiser = open_optimiser(moving, self.settings)
        restore_moments(self.optimiser, moving, state.tensors, self.at - self._phase.first)
        kept = json.loads(str(state.meta["kept"]))
        self.kept.steps, self.kept.scores = kept["steps"], kept["scores"]
        looks = state.meta["looks"]
        assert isinstance(looks, list)  # noqa: S101 - written by `_save`
        self.looks = [Look.from_json(look) for look in looks]

    def _save(self) -> None:
        assert self.run.state is not None  # noqa: S101 - asked by the caller
        moments = read_moments(self.optimiser, self._moving(self._phase_of(self.at - 1)))
        now = {f"now/{name}": value for name, value in self.stack.parameters.items()}
        kept = {f"kept/{name}": value for name, value in self.kept.weights.items()}
        meta: dict[str, JsonValue] = {
            "identity": self._identity,
            "at": self.at,
            "kept": json.dumps({"steps": self.kept.steps, "scores": self.kept.scores}),
            "looks": [look.to_json() for look in self.looks],
        }
        write_state(self.run.state, TrainingState(tensors=moments | now | kept, meta=meta))
        self.saved = time.monotonic()

    def _descend(self, phase: Phase) -> tuple[Tensor, Mapping[str, Tensor]]:
        chance = [self._chance(fold) for fold in self.folds]
        presences = drop_modalities(self.train, share=self.run.modality_dropout, generators=chance)
        counts = [self.stack.count_noise(length) for length in self.train.lengths]
        totals, terms = self.stack.terms(
            self.train,
            presences=presences,
            noises=draw_noise(self.train, counts, chance),
            progress=self.at / self.settings.steps,
            counted=phase.counted,
        )
        for weight in self.stack.parameters.values():
            weight.grad = None
        torch.autograd.backward(totals.sum())
        clip_by_fold(self._moving(phase).values(), self.settings.clip_norm)
        warmup = max(1, round(self.settings.warmup * phase.steps))
        share = warm_up_then_cosine(self.at - phase.first, warmup=warmup, steps=phase.steps)
        set_rate(self.optimiser, self.settings.learning_rate * share)
        self.optimiser.step()
        return totals.detach(), {name: value.detach() for name, value in terms.items()}

    def _look(self, phase: Phase, totals: Tensor, terms: Mapping[str, Tensor]) -> None:
        scores = None
        if self.validation is not None:
            logits = self.stack.logits(self.validation)
            scores = np.array([self._score(logits, fold) for fold in range(len(self.folds))])
            if phase is self.phases[-1]:
                self.kept.keep_better(scores, self.stack.parameters, self.at)
        look = Look(
            step=self.at,
            steps=self.settings.steps,
            terms={name: value.cpu().numpy() for name, value in terms.items()},
            totals=totals.cpu().numpy(),
            scores=scores,
            done=self._count_done(),
        )
        self.looks.append(look)
        self.run.report(look)

    def _score(self, logits: Mapping[str, np.ndarray], fold: int) -> float:
        assert self.validation is not None  # noqa: S101 - asked by the caller
        adjustment = self.recipe.objective.logit_adjustment
        risks = {}
        for task, values in logits.items():
            prior = self.stack.buffers[f"objective.tasks.{task}.log_prior"][fold].cpu().numpy()
            risks[task] = softmax(self.validation.restore(values, fold) + adjustment * prior)
        return score(risks, self.folds[fold].validation, self.recipe.outcomes, self.settings.stop_on)

    def _count_done(self) -> int:
        return self.kept.count_done(self.at, self.phases[-1].first)

    @property
    def _phase(self) -> Phase:
        return self._phase_of(min(self.at, self.settings.steps - 1))

    def _phase_of(self, step: int) -> Phase:
        return next(phase for phase in self.phases if step < phase.end)

    def _moving(self, phase: Phase) -> Weights:
        return {name: value for name, value in self.stack.parameters.items() if name.startswith(phase.trained)}

    def _place(self, folds: Sequence[Sequence[LabelledDocument]]) -> StackedDocuments:
        return stack_documents(folds, self.bounds, tuple(self.recipe.outcomes))

    def _chance(self, fold: FoldMaterial) -> torch.Generator:
        seed = np.random.SeedSequence((self.settings.seed, fold.seed, self.at)).generate_state(1, np.uint64)[0]
        return torch.Generator().manual_seed(int(seed) >> 1)

    @cached_property
    def _identity(self) -> str:
        return identify_run(self.recipe, self.folds, self.run)


def identify_run(recipe: Recipe, folds: Sequence[FoldMaterial], run: Run, *, beside: str = "") -> str:
    """Hexadecimal sha256 of all that decides the weights of a stack, and of what else the caller names."""
    facts = {
        "settings": run.settings.model_dump(
            mode="json", exclude={"save_seconds", "workers", "stack", "stack_megabytes"}
        ),
        "modality_dropout": run.modality_dropout,
        "objective": recipe.objective.model_dump(mode="json"),
        "outcomes": {task: list(names) for task, names in recipe.outcomes.items()},
        "network": recipe.name,
        "bounds": run.bounds,
        "beside": beside,
        "folds": [
            [fold.name, fold.seed, fold.stop_at, digest_documents(fold.train), digest_documents(fold.validation)]
            for fold in folds
        ],
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def _bounds(folds: Sequence[FoldMaterial]) -> tuple[int, ...]:
    documents = [document for fold in folds for document in (*fold.train, *fold.validation)]
    return choose_bounds([len(document.features.indices) for document in documents])
