"""The nested protocol for each arm: out-of-fold risks, thresholds and temperatures."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from training.baselines.arms import ARM_TITLES, ArmCandidate, arm_candidates
from training.baselines.late_fusion import ensemble_members, fit_fusion, fuse
from training.config import ArmName, RunSettings
from training.evaluation.evidence import ArmEvidence
from training.evaluation.metrics import softmax
from training.evaluation.out_of_fold import gather_predictions
from training.folds.nested import OuterFold
from training.protocol.experiment import Experiment, selection_problems
from training.protocol.fold_runs import RunContext, StackResult
from training.protocol.nested_selection import InnerPredictions, SelectionResult, choose_thresholds, select_and_refit


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmRun:
    """An arm on all outer folds: its candidates, the result of each fold, the stacks of the refits, seconds."""

    name: ArmName
    candidates: tuple[ArmCandidate, ...]
    results: tuple[SelectionResult, ...]
    stacks: tuple[StackResult, ...]
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class FoldPrediction:
    """Predictions for the test rows of a fold, with the temperature and thresholds that its inner folds chose.

    The risks are softmax(logits / temperature), unless `risks` holds those of the exported graph. `chosen` names the
    selected candidate.
    """

    logits: Float[np.ndarray, "test outcome"]
    temperature: float
    thresholds: Float[np.ndarray, " outcome"]
    chosen: str
    risks: Float[np.ndarray, "test outcome"] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmCost:
    """The compute cost of an arm: number of candidates tuned, and seconds in all."""

    candidates: int
    seconds: float


def run_arm(
    arm: ArmName, experiment: Experiment, folds: Sequence[OuterFold], settings: RunSettings, context: RunContext
) -> ArmRun:
    """Tune, refit and test an arm on every outer fold."""
    began = time.monotonic()
    candidates = arm_candidates(arm, experiment.dims, settings)
    results, stacks = select_and_refit(
        selection_problems(folds), experiment.documents, candidates, replace(context, arm=ARM_TITLES[arm])
    )
    return ArmRun(name=arm, candidates=candidates, results=results, stacks=stacks, seconds=time.monotonic() - began)


def predict(arm_run: ArmRun, experiment: Experiment) -> tuple[FoldPrediction, ...]:
    """The predictions of an arm, by outer fold."""
    task, predictions = experiment.task, []
    for result in arm_run.results:
        selection = result.selection
        temperature = selection.temperatures[task]
        # Thresholds are applied to calibrated risks, so they are chosen on calibrated risks.
        inner_risks = softmax(selection.inner.logits[task] / temperature)
        predictions.append(
            FoldPrediction(
                logits=result.logits[task],
                temperature=temperature,
                thresholds=choose_thresholds(inner_risks, experiment.labels()[list(selection.inner.rows)]),
                chosen=arm_run.candidates[selection.candidate].settings.name,
            )
        )
    return tuple(predictions)


def fuse_arms(
    audio: ArmRun, text: ArmRun, experiment: Experiment, folds: Sequence[OuterFold]
) -> tuple[FoldPrediction, ...]:
    """Late fusion of the audio and the text arm; weight, temperature and thresholds come from the inner folds."""
    task, labels = experiment.task, experiment.labels()
    predictions = []
    for audio_result, text_result, fold in zip(audio.results, text.results, folds, strict=True):
        by_audio, by_text = audio_result.selection, text_result.selection
        rows = by_audio.inner.rows
        inner = ensemble_members(
            _aligned(by_audio.inner, rows, task) / by_audio.temperatures[task],
            _aligned(by_text.inner, rows, task) / by_text.temperatures[task],
            _present(experiment, rows),
        )
        fusion = fit_fusion(inner, labels[list(rows)])
        # Temperatures and weight of the inner folds: nothing is fitted to the test rows.
        test = ensemble_members(
            audio_result.logits[task] / by_audio.temperatures[task],
            text_result.logits[task] / by_text.temperatures[task],
            _present(experiment, fold.test),
        )
        inner_risks = softmax(fuse(inner, fusion.weight) / fusion.temperature)
        predictions.append(
            FoldPrediction(
                logits=fuse(test, fusion.weight),
                temperature=fusion.temperature,
                thresholds=choose_thresholds(inner_risks, labels[list(rows)]),
                chosen=f"audio weighs {fusion.weight:.2f}",
            )
        )
    return tuple(predictions)


def to_evidence(
    name: ArmName,
    predictions: Sequence[FoldPrediction],
    experiment: Experiment,
    folds: Sequence[OuterFold],
    *,
    cost: ArmCost,
) -> ArmEvidence:
    """The evidence of an arm, from its predictions by outer fold."""
    outcomes = experiment.tasks[experiment.task]
    # Risks of the exported graph where there are some, because a release answers with the graph (decision 0018).
    calibrated = [
        fold.risks if fold.risks is not None else softmax(fold.logits / fold.temperature) for fold in predictions
    ]
    families, labels = experiment.families, experiment.labels()
    shape = (1 + max(fold.repeat for fold in folds), 1 + max(fold.number for fold in folds))
    thresholds, temperatures = np.full((*shape, len(outcomes)), np.nan), np.full(shape, np.nan)
    for fold, prediction in zip(folds, predictions, strict=True):
        thresholds[fold.repeat, fold.number] = prediction.thresholds
        temperatures[fold.repeat, fold.number] = prediction.temperature
    uncalibrated = [softmax(prediction.logits) for prediction in predictions]
    return ArmEvidence(
        name=name,
        title=ARM_TITLES[name],
        predictions=gather_predictions(folds, calibrated, families, labels, outcomes),
        thresholds=thresholds,
        temperatures=temperatures,
        uncalibrated=gather_predictions(folds, uncalibrated, families, labels, outcomes).probabilities,
        candidates=cost.candidates,
        chosen=tuple(prediction.chosen for prediction in predictions),
        seconds=cost.seconds,
    )


def _aligned(inner: InnerPredictions, rows: Sequence[int], task: str) -> np.ndarray:
    """Inner logits in the order of `rows`."""
    order = {row: position for position, row in enumerate(inner.rows)}
    return np.asarray(inner.logits[task][[order[row] for row in rows]])


def _present(experiment: Experiment, rows: Sequence[int]) -> Mapping[str, list[bool]]:
    features = [experiment.documents[row].features for row in rows]
    return {
        "audio": [bool(document.audio_mask.any()) for document in features],
        "text": [bool(document.text_mask.any()) for document in features],
    }
