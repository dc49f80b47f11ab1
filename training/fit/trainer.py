"""Train a stack of folds: whole-fold batches, AdamW, warm-up and cosine schedule, early stopping, resumable state.

Random numbers depend only on the seed of a fold and on the step. A resumed run, a fold in a stack and the same fold
trained alone therefore draw the same dropout.
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
from training.documents.padding import choose_padded_lengths
from training.documents.stacked import StackedDocuments, draw_noise, drop_modalities, stack_documents
from training.errors import RunMismatchError
from training.evaluation.metrics import softmax
from training.fit.early_stopping import EarlyStopping
from training.fit.fold_stack import FoldStack, Weights
from training.fit.guards import refuse_divergence, refuse_overlap
from training.fit.learner import LearnerSpec, build_learner
from training.fit.optimiser import (
    clip_by_fold,
    open_optimiser,
    read_moments,
    restore_moments,
    set_rate,
    warm_up_then_cosine,
)
from training.fit.resume import TrainingState, read_state, write_state
from training.fit.run_types import EpochReport, FitOptions, FoldData, TrainedFold, TrainedStack
from training.fit.schedule import Phase, plan_phases
from training.fit.stopping_metric import stopping_score


def train_stack(spec: LearnerSpec, folds: Sequence[FoldData], options: FitOptions) -> TrainedStack:
    """Train several folds as one stack, from new weights or from the saved state of an interrupted run.

    Either all folds have validation documents or none has. On one machine and with one thread count, equal arguments
    give equal weights, whether or not the run was interrupted.

    Raises:
        FamilyLeakError: a family is both in the training and in the validation part of a fold.
        HeldOutDocumentError: a family of the test part is in the training part.
        OutcomeAbsentError: an outcome has no training document.
        DivergedError: a loss is not finite.
        RunMismatchError: the saved state belongs to another run.

    See docs/method.md (T2, T8).
    """
    # First of all, because contrastive terms read no labels: nothing later would notice the leak (T11).
    for fold in folds:
        refuse_overlap(fold.name, fold.train, fold.validation, fold.held_out)
    # The number of threads sets the order of float sums, and so the last bits of the weights.
    torch.set_num_threads(options.settings.threads)
    trainer = _StackTrainer(spec, folds, options)
    trainer.resume()
    while not trainer.finished:
        trainer.train_epoch()
    return trainer.result()


def choose_device(settings: TrainerSettings) -> torch.device:
    """The device named by the settings; `auto` selects a GPU when one is available."""
    gpu = settings.device == "cuda" or (settings.device == "auto" and torch.cuda.is_available())
    return torch.device("cuda" if gpu else "cpu")


class _StackTrainer:
    """The state of a stack's training: weights, optimiser, early stopping, and the number of steps taken."""

    def __init__(self, spec: LearnerSpec, folds: Sequence[FoldData], options: FitOptions) -> None:
        self.spec, self.folds, self.options, self.settings = spec, folds, options, options.settings
        device = choose_device(options.settings)
        self.stack = FoldStack([build_learner(spec, fold.train, fold.seed) for fold in folds], device)
        self.bounds = options.bounds or _bounds(folds)
        self.train = self._stack_documents([fold.train for fold in folds]).to(device)
        self.validation: StackedDocuments | None = None
        if folds[0].validation:
            self.validation = self._stack_documents([fold.validation for fold in folds]).to(device)
        self.phases = plan_phases(options.settings, spec.objective.terms, tuple(spec.outcomes))
        self.optimiser = open_optimiser(self._trainable(self.phases[0]), options.settings)
        self.early_stopping = EarlyStopping(folds, self.stack.parameters, options.settings)
        self.step = 0
        self.reports: list[EpochReport] = []
        self.saved = time.monotonic()

    @property
    def finished(self) -> bool:
        """Whether the last step is taken or every fold has stopped."""
        return self.step >= self.settings.steps or self._count_done() == len(self.folds)

    def train_epoch(self) -> None:
        """Take one step on all training documents of all folds; evaluate, report and save when due."""
        phase = self._phase
        # Each phase has its own optimiser (T1). After a resume at this step the
        # restored moments are those of the phase before.
        if self.step == phase.first and self.step:
            self.optimiser = open_optimiser(self._trainable(phase), self.settings)
        totals, terms = self._optimise(phase)
        self.step += 1
        # Before weights are kept: a diverged fold must not leave its weights as the best ones.
        refuse_divergence([fold.name for fold in self.folds], self.step, totals, terms)
        self.early_stopping.keep_at_fixed_step(self.stack.parameters, self.step)
        if self.step % self.settings.look_every == 0 or self.step == self.settings.steps:
            self._evaluate(phase, totals, terms)
        if self.options.state and time.monotonic() - self.saved >= self.settings.save_seconds:
            self._save()

    def result(self) -> TrainedStack:
        """The best weights of every fold."""
        return TrainedStack(
            folds=tuple(
                TrainedFold(
                    name=fold.name,
                    learner=self.stack.unstack(self.early_stopping.best_weights, number),
                    best_step=self.early_stopping.best_steps[number],
                    score=self.early_stopping.best_scores[number] if fold.validation else None,
                )
                for number, fold in enumerate(self.folds)
            ),
            reports=tuple(self.reports),
        )

    def resume(self) -> None:
        """Continue from the saved state, if there is one; raises RunMismatchError."""
        state = read_state(self.options.state) if self.options.state else None
        if state is None:
            return
        if state.meta["identity"] != self._identity:
            raise RunMismatchError(
                "the saved state belongs to a run with other documents or settings: use another folder"
            )
        self.step = int(str(state.meta["at"]))
        # In place, because `stack` and optimiser hold these tensors; a leaf with a
        # gradient cannot be written in place otherwise.
        with torch.no_grad():
            for name in self.stack.parameters:
                self.stack.parameters[name].copy_(state.tensors[f"now/{name}"])
                self.early_stopping.best_weights[name].copy_(state.tensors[f"kept/{name}"])
        trainable = self._trainable(self._phase)
        self.optimiser = open_optimiser(trainable, self.settings)
        restore_moments(self.optimiser, trainable, state.tensors, self.step - self._phase.first)
        best = json.loads(str(state.meta["kept"]))
        self.early_stopping.best_steps, self.early_stopping.best_scores = best["steps"], best["scores"]
        reports = state.meta["looks"]
        assert isinstance(reports, list)  # noqa: S101 - written by `_save`
        self.reports = [EpochReport.from_json(report) for report in reports]

    def _save(self) -> None:
        assert self.options.state is not None  # noqa: S101 - checked by the caller
        # The moments are of the phase of the last step, which at a boundary is not that of the next step.
        moments = read_moments(self.optimiser, self._trainable(self._phase_of(self.step - 1)))
        now = {f"now/{name}": value for name, value in self.stack.parameters.items()}
        best = {f"kept/{name}": value for name, value in self.early_stopping.best_weights.items()}
        meta: dict[str, JsonValue] = {
            "identity": self._identity,
            "at": self.step,
            "kept": json.dumps({"steps": self.early_stopping.best_steps, "scores": self.early_stopping.best_scores}),
            "looks": [report.to_json() for report in self.reports],
        }
        write_state(self.options.state, TrainingState(tensors=moments | now | best, meta=meta))
        self.saved = time.monotonic()

    def _optimise(self, phase: Phase) -> tuple[Tensor, Mapping[str, Tensor]]:
        # Seeded by run, fold and step, so that a saved state needs no random state (decision 0017).
        generators = [self._generator(fold) for fold in self.folds]
        presences = drop_modalities(self.train, share=self.options.modality_dropout, generators=generators)
        counts = [self.stack.count_noise(length) for length in self.train.lengths]
        totals, terms = self.stack.terms(
            self.train,
            presences=presences,
            noises=draw_noise(self.train, counts, generators),
            # Planned steps, also in a refit that stops earlier: it keeps the schedule of its inner folds (T8).
            progress=self.step / self.settings.steps,
            loss_terms=phase.loss_terms,
        )
        # All weights, because those that a phase does not train get gradients too, and these would add up.
        for weight in self.stack.parameters.values():
            weight.grad = None
        # Folds share no weights, so the gradient of the sum holds each fold's own gradient.
        torch.autograd.backward(totals.sum())
        clip_by_fold(self._trainable(phase).values(), self.settings.clip_norm)
        warmup = max(1, round(self.settings.warmup * phase.steps))
        share = warm_up_then_cosine(self.step - phase.first, warmup=warmup, steps=phase.steps)
        set_rate(self.optimiser, self.settings.learning_rate * share)
        self.optimiser.step()
        # Reports outlive the step, and its graph must not.
        return totals.detach(), {name: value.detach() for name, value in terms.items()}

    def _evaluate(self, phase: Phase, totals: Tensor, terms: Mapping[str, Tensor]) -> None:
        scores = None
        if self.validation is not None:
            logits = self.stack.logits(self.validation)
            scores = np.array([self._score(logits, fold) for fold in range(len(self.folds))])
            # The first of two phases trains no head, so its scores say nothing about the tasks (T6).
            if phase is self.phases[-1]:
                self.early_stopping.update(scores, self.stack.parameters, self.step)
        report = EpochReport(
            step=self.step,
            steps=self.settings.steps,
            terms={name: value.cpu().numpy() for name, value in terms.items()},
            totals=totals.cpu().numpy(),
            scores=scores,
            done=self._count_done(),
        )
        self.reports.append(report)
        self.options.on_report(report)

    def _score(self, logits: Mapping[str, np.ndarray], fold: int) -> float:
        assert self.validation is not None  # noqa: S101 - checked by the caller
        adjustment = self.spec.objective.logit_adjustment
        risks = {}
        for task, values in logits.items():
            # The shares of the fold's own training part, as in its loss and in serving (K1), at temperature 1.
            prior = self.stack.buffers[f"objective.tasks.{task}.log_prior"][fold].cpu().numpy()
            risks[task] = softmax(self.validation.restore(values, fold) + adjustment * prior)
        return stopping_score(risks, self.folds[fold].validation, self.spec.outcomes, self.settings.stop_on)

    def _count_done(self) -> int:
        return self.early_stopping.count_done(self.step, self.phases[-1].first)

    @property
    def _phase(self) -> Phase:
        # After the last step there is no phase of a next one.
        return self._phase_of(min(self.step, self.settings.steps - 1))

    def _phase_of(self, step: int) -> Phase:
        return next(phase for phase in self.phases if step < phase.end)

    def _trainable(self, phase: Phase) -> Weights:
        return {name: value for name, value in self.stack.parameters.items() if name.startswith(phase.trainable)}

    def _stack_documents(self, folds: Sequence[Sequence[LabelledDocument]]) -> StackedDocuments:
        return stack_documents(folds, self.bounds, tuple(self.spec.outcomes))

    def _generator(self, fold: FoldData) -> torch.Generator:
        # SeedSequence mixes the three numbers; a sum of them would repeat streams between folds and steps.
        seed = np.random.SeedSequence((self.settings.seed, fold.seed, self.step)).generate_state(1, np.uint64)[0]
        return torch.Generator().manual_seed(int(seed) >> 1)

    @cached_property
    def _identity(self) -> str:
        return identify_run(self.spec, self.folds, self.options)


def identify_run(spec: LearnerSpec, folds: Sequence[FoldData], options: FitOptions, *, beside: str = "") -> str:
    """Hexadecimal sha256 of everything that determines the weights of a stack, and of `beside`."""
    facts = {
        # What is excluded changes how a stack is computed and not its weights, so a run may resume with other values.
        "settings": options.settings.model_dump(
            mode="json", exclude={"save_seconds", "workers", "stack", "stack_megabytes"}
        ),
        "modality_dropout": options.modality_dropout,
        "objective": spec.objective.model_dump(mode="json"),
        "outcomes": {task: list(names) for task, names in spec.outcomes.items()},
        "network": spec.name,
        "bounds": options.bounds,
        "beside": beside,
        "folds": [
            [fold.name, fold.seed, fold.stop_at, digest_documents(fold.train), digest_documents(fold.validation)]
            for fold in folds
        ],
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def _bounds(folds: Sequence[FoldData]) -> tuple[int, ...]:
    documents = [document for fold in folds for document in (*fold.train, *fold.validation)]
    return choose_padded_lengths([len(document.features.indices) for document in documents])
