"""Evaluate a cohort: every arm on every outer fold, HILBERT scored with its exported graph, collected as evidence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from pydantic import JsonValue

from model.encoders.runtime import RuntimeOptions
from model.explanation import ModalityContributions
from model.network.losses.objective import Retrieval, supervise
from training.baselines.arms import HILBERT
from training.config import ArmName, RunSettings
from training.documents.labelled import LabelledDocument, pad_documents
from training.documents.stacked import number_ids
from training.evaluation.evidence import (
    ArmEvidence,
    ContributionEvidence,
    DocumentEmbeddings,
    Evidence,
    LossCurve,
    OutOfDistributionPValues,
    RetrievalRecall,
)
from training.evaluation.out_of_distribution import average_segments, fit_reference_distribution, p_values
from training.fit.learner import Learner
from training.fit.prediction import EmbeddedDocuments, embed
from training.folds.nested import OuterFold
from training.protocol.arms import ArmCost, ArmRun, fuse_arms, predict, run_arm, to_evidence
from training.protocol.experiment import Experiment
from training.protocol.fold_runs import RunContext, StackResult
from training.protocol.fold_scoring import FoldScorer, ScoredDocuments, make_calibration


@dataclass(frozen=True, slots=True, kw_only=True)
class FoldTestResults:
    """Scores, embeddings and retrieval of the test documents of one outer fold, by its HILBERT network."""

    scored: ScoredDocuments
    embedded: EmbeddedDocuments
    retrieval: Retrieval


def evaluate(
    experiment: Experiment, settings: RunSettings, context: RunContext, *, about: Mapping[str, JsonValue]
) -> Evidence:
    """Run nested cross-validation for HILBERT and the baselines; resumes in the folder `context.folder`."""
    folds = experiment.draw(settings.folds)
    # Late fusion trains nothing: it is computed from the two arms of one modality.
    trained: list[ArmName] = [HILBERT, *(arm for arm in settings.lineup if arm != "late_fusion")]
    arm_runs = {arm: run_arm(arm, experiment, folds, settings, context) for arm in trained}
    hilbert = arm_runs[HILBERT]
    test_results = score_test_documents(hilbert, experiment, folds, context.folder / "graphs")
    baselines = [_baseline_evidence(arm, arm_runs, experiment, folds) for arm in settings.lineup]
    return Evidence(
        task=experiment.task,
        outcomes=experiment.tasks[experiment.task],
        arms=(_hilbert_evidence(hilbert, experiment, folds, test_results), *baselines),
        labels=experiment.labels(),
        families=experiment.families,
        covariates=experiment.covariates(),
        subgroups=experiment.subgroups(),
        folds=folds,
        loss_curves=gather_loss_curves(hilbert.stacks),
        retrievals=_mean_recall([result.retrieval for result in test_results]),
        embeddings=_first_repeat_embeddings(folds, test_results),
        contributions=_first_repeat_contributions(experiment, folds, test_results),
        out_of_distribution=out_of_distribution_p_values(experiment, folds),
        excluded=experiment.excluded,
        about=about,
    )


def score_test_documents(
    hilbert: ArmRun, experiment: Experiment, folds: Sequence[OuterFold], folder: Path
) -> tuple[FoldTestResults, ...]:
    """Score the test documents of every fold with the exported graph and `model.scoring`; embed and retrieve them."""
    scorer = FoldScorer(folder=folder, tasks=experiment.tasks, options=RuntimeOptions())
    test_results = []
    for fold, result in zip(folds, hilbert.results, strict=True):
        learner = result.learner(hilbert.candidates)
        test = [experiment.documents[row] for row in fold.test]
        calibration = make_calibration(
            experiment.tasks,
            # Outcome shares and mean features of the training part alone, so that no test document enters its own risk.
            [experiment.documents[row] for row in fold.train],
            temperatures=result.selection.temperatures,
            adjustment=float(hilbert.candidates[result.selection.candidate].spec.objective.logit_adjustment),
        )
        test_results.append(
            FoldTestResults(
                scored=scorer.score(learner, calibration, test, experiment.task),
                embedded=embed(learner, test),
                retrieval=retrieve(learner, test),
            )
        )
    return tuple(test_results)


def retrieve(learner: Learner, documents: Sequence[LabelledDocument]) -> Retrieval:
    """Recall at 1 among documents that the learner was not trained on. See docs/method.md (E17)."""
    # One batch, because recall compares each test document with all others of its fold (E17).
    batch = pad_documents([document.features for document in documents])
    numbers = number_ids(documents)
    supervision = supervise(
        batch,
        person=torch.tensor([numbers[document.person] for document in documents]),
        family=torch.tensor([numbers[document.family] for document in documents]),
        labels={},
    )
    with torch.inference_mode():
        return learner.objective.retrieve(learner.embed([batch]), supervision)


def out_of_distribution_p_values(experiment: Experiment, folds: Sequence[OuterFold]) -> OutOfDistributionPValues:
    """Conformal p-value of each test document of the first repeat.

    The reference distribution is fitted on the training part of the first inner fold and ranked on its validation part.

    See docs/method.md (K8).
    """
    means = average_segments([document.features for document in experiment.documents])
    values = {"audio": np.full(len(experiment.documents), np.nan), "text": np.full(len(experiment.documents), np.nan)}
    for fold in folds:
        # One repeat tests each document once; further ones would overwrite its p-value.
        if fold.repeat > 0:
            continue
        # The two parts hold other families. The distances of training documents themselves are too small (K8).
        train, validation, test = list(fold.inner[0].train), list(fold.inner[0].validation), list(fold.test)
        for modality, mean in (("audio", means.audio), ("text", means.text)):
            if not (np.isnan(mean[train]).all() or np.isnan(mean[validation]).all()):
                reference = fit_reference_distribution(mean[train], mean[validation])
                values[modality][test] = p_values(reference, mean[test])
    rows = _test_rows(folds)
    return OutOfDistributionPValues(audio=values["audio"][rows], text=values["text"][rows])


def gather_loss_curves(stacks: Sequence[StackResult]) -> tuple[LossCurve, ...]:
    """Mean, 10th and 90th percentile over folds of each loss term, at the steps that every stack reached."""
    if not stacks:
        return ()
    # Stacks stop at different steps. A mean over ever fewer folds would move without any loss moving.
    steps = sorted(set.intersection(*({report.step for report in stack.reports} for stack in stacks)))
    names = stacks[0].reports[0].terms if steps else ()
    curves = []
    for name in names:
        values = np.stack([_term_at(stacks, name, step) for step in steps])
        curves.append(
            LossCurve(
                name=name,
                steps=np.array(steps, dtype=np.int64),
                mean=values.mean(axis=1).astype(np.float64),
                low=np.quantile(values, 0.1, axis=1).astype(np.float64),
                high=np.quantile(values, 0.9, axis=1).astype(np.float64),
            )
        )
    return tuple(curves)


def _term_at(stacks: Sequence[StackResult], name: str, step: int) -> np.ndarray:
    """The values of a loss term after a step, one for each fold of all stacks."""
    return np.concatenate([report.terms[name] for stack in stacks for report in stack.reports if report.step == step])


def _hilbert_evidence(
    hilbert: ArmRun, experiment: Experiment, folds: Sequence[OuterFold], test_results: Sequence[FoldTestResults]
) -> ArmEvidence:
    """The evidence of HILBERT, with the risks that its exported graphs computed."""
    predictions = [
        replace(prediction, risks=result.scored.risks)
        for prediction, result in zip(predict(hilbert, experiment), test_results, strict=True)
    ]
    return to_evidence(HILBERT, predictions, experiment, folds, cost=_cost(hilbert))


def _baseline_evidence(
    arm: ArmName, arm_runs: Mapping[ArmName, ArmRun], experiment: Experiment, folds: Sequence[OuterFold]
) -> ArmEvidence:
    if arm != "late_fusion":
        return to_evidence(arm, predict(arm_runs[arm], experiment), experiment, folds, cost=_cost(arm_runs[arm]))
    audio, text = arm_runs["audio_only"], arm_runs["text_only"]
    # The cost of late fusion is that of its two members.
    return to_evidence(arm, fuse_arms(audio, text, experiment, folds), experiment, folds, cost=_cost(audio, text))


def _cost(*arm_runs: ArmRun) -> ArmCost:
    return ArmCost(candidates=len(arm_runs[0].candidates), seconds=sum(run.seconds for run in arm_runs))


def _test_rows(folds: Sequence[OuterFold]) -> list[int]:
    return sorted({row for fold in folds for row in fold.test})


def _first_repeat_embeddings(folds: Sequence[OuterFold], test_results: Sequence[FoldTestResults]) -> DocumentEmbeddings:
    rows = _test_rows(folds)
    position_of = {row: position for position, row in enumerate(rows)}
    width = test_results[0].embedded.joint.shape[1]
    arrays = {name: np.zeros((len(rows), width)) for name in ("audio", "text", "joint")}
    fold_of = np.zeros(len(rows), dtype=np.int64)
    for fold, result in zip(folds, test_results, strict=True):
        if fold.repeat == 0:
            at = [position_of[row] for row in fold.test]
            fold_of[at] = fold.number
            for name, values in arrays.items():
                values[at] = getattr(result.embedded, name)
    return DocumentEmbeddings(**arrays, fold_of=fold_of)


def _first_repeat_contributions(
    experiment: Experiment, folds: Sequence[OuterFold], test_results: Sequence[FoldTestResults]
) -> ContributionEvidence:
    """The contributions of the first repeat, in the order of the test rows."""
    by_row: dict[int, ModalityContributions] = {}
    for fold, result in zip(folds, test_results, strict=True):
        if fold.repeat == 0:
            by_row |= dict(zip(fold.test, result.scored.contributions, strict=True))
    rows = _test_rows(folds)
    parts = [by_row[row] for row in rows]
    outcomes, planted = experiment.tasks[experiment.task], experiment.planted()
    return ContributionEvidence(
        audio=np.array([part.audio for part in parts]),
        text=np.array([part.text for part in parts]),
        interaction=np.array([part.interaction for part in parts]),
        baseline=np.array([part.baseline for part in parts]),
        share_audio=np.array([np.nan if part.share_audio is None else part.share_audio for part in parts]),
        stable=np.array([part.stable for part in parts]),
        reported=np.array([outcomes.index(part.outcome) for part in parts], dtype=np.int64),
        planted=None if planted is None else tuple(planted[row] for row in rows),
    )


def _mean_recall(retrievals: Sequence[Retrieval]) -> RetrievalRecall:
    """The mean over the folds in which a recall is defined."""

    def mean(values: Sequence[float]) -> float | None:
        # A recall is NaN in a fold in which no document has a rival.
        defined = [value for value in values if np.isfinite(value)]
        return float(np.mean(defined)) if defined else None

    return RetrievalRecall(
        audio_to_joint=mean([float(retrieval.audio_to_joint.at_1) for retrieval in retrievals]),
        text_to_joint=mean([float(retrieval.text_to_joint.at_1) for retrieval in retrievals]),
        audio_to_text=mean([float(retrieval.audio_to_text.at_1) for retrieval in retrievals]),
        chance=mean([float(retrieval.audio_to_text.chance) for retrieval in retrievals]),
    )
