"""Fit many folds in stacks. Each finished stack is written to disk, so a killed evaluation loses at most one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from training.baselines.arms import ArmCandidate
from training.documents.labelled import LabelledDocument, digest_documents
from training.fit.learner import Learner, LearnerSpec, build_learner
from training.fit.parallel import run_jobs
from training.fit.prediction import Logits, predict_logits
from training.fit.resume import TrainingState, read_state, write_state
from training.fit.run_types import EpochReport, FitOptions, FoldData, ReportEpoch, TrainedFold
from training.fit.trainer import identify_run, train_stack


@dataclass(frozen=True, slots=True, kw_only=True)
class FitRequest:
    """A fold to train, and the documents to predict afterwards."""

    data: FoldData
    predict_on: Sequence[LabelledDocument]


@dataclass(frozen=True, slots=True, kw_only=True)
class FitResult:
    """The outcome of a fit: best step, validation score, logits of the requested documents, and weights."""

    best_step: int
    score: float | None
    logits: Logits
    weights: Mapping[str, Tensor]


@dataclass(frozen=True, slots=True, kw_only=True)
class StackResult:
    """The fits of one stack, and the reports of its training."""

    fits: tuple[FitResult, ...]
    reports: tuple[EpochReport, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunContext:
    """The folder of finished stacks, the padded lengths of documents, and the callbacks for progress.

    `start_group` receives the title of a group of fits, their number, and the number that is not on disk yet.
    """

    folder: Path
    bounds: tuple[int, ...]
    report_epoch: ReportEpoch
    start_group: Callable[[str, int, int], None]
    arm: str = "hilbert"  # title of the arm, for progress


def fit_all(
    candidate: ArmCandidate, requests: Sequence[FitRequest], context: RunContext, *, title: str
) -> tuple[StackResult, ...]:
    """Train the requested folds in stacks, in the order given; finished stacks are read from disk.

    See docs/method.md (T10).
    """
    size = _stack_size(candidate, requests)
    starts = range(0, len(requests), size)
    stacks = [
        StackTask(
            candidate=candidate,
            requests=tuple(requests[start : start + size]),
            folder=context.folder,
            bounds=context.bounds,
            title=f"{title}, stack {number} of {len(starts)}",
        )
        for number, start in enumerate(starts, start=1)
    ]
    missing = [stack for stack in stacks if not stack.file.exists()]
    context.start_group(title, len(requests), sum(len(stack.requests) for stack in missing))
    run_jobs(missing, workers=candidate.trainer.workers, report_epoch=context.report_epoch)
    # Also those of this call: workers write their results to disk and send nothing but reports.
    return tuple(stack.read() for stack in stacks)


def rebuild(spec: LearnerSpec, request: FitRequest, result: FitResult) -> Learner:
    """The learner of a fit, in evaluation mode."""
    learner = build_learner(spec, request.data.train, request.data.seed)
    learner.load_state_dict(dict(result.weights))
    return learner.eval()


@dataclass(frozen=True, kw_only=True)
class StackTask:
    """Fits to train as one stack, and the file for their result. Instances are pickled for worker processes."""

    candidate: ArmCandidate
    requests: tuple[FitRequest, ...]
    folder: Path
    bounds: tuple[int, ...]
    title: str

    def __call__(self, report_epoch: ReportEpoch) -> None:
        """Train the stack and write its result."""
        # The digest in the name keeps a state of other documents or settings from being resumed.
        running = self.folder / f"{self.identity}.running.safetensors"
        options = replace(self._options, state=running, on_report=lambda report: report_epoch(self.title, report))
        trained = train_stack(self.candidate.spec, self._folds, options)
        results = [_predict(request, fold) for request, fold in zip(self.requests, trained.folds, strict=True)]
        # In this order: a kill between the two leaves a finished stack and a superfluous state.
        write_state(self.file, _pack(results, trained.reports))
        running.unlink(missing_ok=True)

    def read(self) -> StackResult:
        """Read the result of a finished stack."""
        state = read_state(self.file)
        assert state is not None  # noqa: S101 - the stack is finished
        return _unpack(state)

    @property
    def file(self) -> Path:
        """The file of the finished stack."""
        return self.folder / f"{self.identity}.safetensors"

    @cached_property
    def identity(self) -> str:
        """Digest of everything that determines the result."""
        # The weights do not depend on these documents, but the stored logits do.
        predicted = "".join(digest_documents(request.predict_on) for request in self.requests)
        return identify_run(self.candidate.spec, self._folds, self._options, beside=predicted)

    @property
    def _folds(self) -> list[FoldData]:
        return [request.data for request in self.requests]

    @property
    def _options(self) -> FitOptions:
        return FitOptions(
            settings=self.candidate.trainer, modality_dropout=self.candidate.modality_dropout, bounds=self.bounds
        )


def mean_score(results: Sequence[FitResult]) -> float:
    """Mean validation score; larger is better. A fit without a score counts as minus infinity."""
    return float(np.mean([-np.inf if result.score is None else result.score for result in results]))


def _predict(request: FitRequest, trained: TrainedFold) -> FitResult:
    return FitResult(
        best_step=trained.best_step,
        score=trained.score,
        logits=predict_logits(trained.learner, request.predict_on) if request.predict_on else {},
        weights=trained.learner.state_dict(),
    )


def _stack_size(candidate: ArmCandidate, requests: Sequence[FitRequest]) -> int:
    """The configured number of folds, or as many as fit into the configured memory."""
    largest = max(
        sum(
            document.features.audio.nbytes + document.features.text.nbytes
            # Validation documents are stacked for the whole run too.
            for document in (*request.data.train, *request.data.validation)
        )
        for request in requests
    )
    room = int(candidate.trainer.stack_megabytes * 1e6 // max(1, largest))
    return max(1, min(candidate.trainer.stack, room))


def _pack(results: Sequence[FitResult], reports: Sequence[EpochReport]) -> TrainingState:
    tensors: dict[str, Tensor] = {}
    for number, result in enumerate(results):
        tensors |= {f"{number}/logits/{task}": torch.from_numpy(values) for task, values in result.logits.items()}
        tensors |= {f"{number}/weights/{name}": value for name, value in result.weights.items()}
    return TrainingState(
        tensors=tensors,
        meta={
            "steps": [result.best_step for result in results],
            "scores": [result.score for result in results],
            "looks": [report.to_json() for report in reports],
        },
    )


def _unpack(state: TrainingState) -> StackResult:
    steps, scores, reports = (state.meta[name] for name in ("steps", "scores", "looks"))
    assert isinstance(steps, list)  # noqa: S101 - written by `_pack`
    assert isinstance(scores, list)  # noqa: S101
    assert isinstance(reports, list)  # noqa: S101
    return StackResult(
        fits=tuple(
            FitResult(
                best_step=int(str(step)),
                score=None if score is None else float(str(score)),
                logits={name: value.numpy() for name, value in _below(f"{number}/logits/", state.tensors).items()},
                weights=_below(f"{number}/weights/", state.tensors),
            )
            for number, (step, score) in enumerate(zip(steps, scores, strict=True))
        ),
        reports=tuple(EpochReport.from_json(report) for report in reports),
    )


def _below(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
