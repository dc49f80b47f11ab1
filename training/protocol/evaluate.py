"""The evaluation of a cohort: every arm on every fold, HILBERT scored with what ships, gathered as evidence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from pydantic import JsonValue

from model.encoders.runtime import RuntimeOptions
from model.explanation import Contributions
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
    OutOfDistribution,
    Retrievals,
)
from training.evaluation.out_of_distribution import average_segments, fit_reference, p_values
from training.fit.learner import Learner
from training.fit.prediction import Embedded, embed
from training.folds.nested import OuterFold
from training.protocol.arms import Effort, SolvedArm, fuse_late, predict, solve_arm, to_evidence
from training.protocol.experiment import Experiment
from training.protocol.fold_runs import Place
from training.protocol.fold_scoring import FoldScorer, Scored, calibrate
from training.protocol.loss_curves import gather_histories


@dataclass(frozen=True, slots=True, kw_only=True)
class FoldFindings:
    """What one outer fold's HILBERT network shows on its test documents."""

    scored: Scored
    embedded: Embedded
    retrieval: Retrieval


def evaluate(
    experiment: Experiment, settings: RunSettings, place: Place, *, about: Mapping[str, JsonValue]
) -> Evidence:
    """The nested protocol for HILBERT and its line-up, in the folder `place.folder`, where it goes on if stopped."""
    folds = experiment.draw(settings.folds)
    trained: list[ArmName] = [HILBERT, *(arm for arm in settings.lineup if arm != "late_fusion")]
    solved = {arm: solve_arm(arm, experiment, folds, settings, place) for arm in trained}
    findings = look_closer(solved[HILBERT], experiment, folds, place.folder / "graphs")
    others = [_arm(arm, solved, experiment, folds) for arm in settings.lineup]
    return Evidence(
        task=experiment.task,
        outcomes=experiment.tasks[experiment.task],
        arms=(_hilbert(solved[HILBERT], experiment, folds, findings), *others),
        labels=experiment.labels(),
        families=experiment.families,
        covariates=experiment.covariates(),
        subgroups=experiment.subgroups(),
        folds=folds,
        histories=gather_histories(solved[HILBERT].stacks),
        retrievals=_retrievals([one.retrieval for one in findings]),
        embeddings=_first_repeat(folds, findings),
        contributions=_contributions(experiment, folds, findings),
        out_of_distribution=measure_strangeness(experiment, folds),
        excluded=experiment.excluded,
        about=about,
    )


def look_closer(
    solved: SolvedArm, experiment: Experiment, folds: Sequence[OuterFold], folder: Path
) -> tuple[FoldFindings, ...]:
    """Score every fold's test documents with the exported graph and `model.scoring`, embed and retrieve them."""
    scorer = FoldScorer(folder=folder, tasks=experiment.tasks, options=RuntimeOptions())
    found = []
    for fold, solution in zip(folds, solved.solutions, strict=True):
        learner = solution.learner(solved.attempts)
        test = [experiment.documents[row] for row in fold.test]
        calibration = calibrate(
            experiment.tasks,
            [experiment.documents[row] for row in fold.train],
            temperatures=solution.choice.temperatures,
            adjustment=float(solved.attempts[solution.choice.attempt].recipe.objective.logit_adjustment),
        )
        found.append(
            FoldFindings(
                scored=scorer.score(learner, calibration, test, experiment.task),
                embedded=embed(learner, test),
                retrieval=retrieve(learner, test),
            )
        )
    return tuple(found)


def retrieve(learner: Learner, documents: Sequence[LabelledDocument]) -> Retrieval:
    """Recall at 1 among documents that the learner was not trained on."""
    batch = pad_documents([one.features for one in documents])
    numbers = number_ids(documents)
    supervision = supervise(
        batch,
        person=torch.tensor([numbers[one.person] for one in documents]),
        family=torch.tensor([numbers[one.family] for one in documents]),
        labels={},
    )
    with torch.inference_mode():
        return learner.objective.retrieve(learner.embed([batch]), supervision)


def measure_strangeness(experiment: Experiment, folds: Sequence[OuterFold]) -> OutOfDistribution:
    """p-values of each document of the first repeat against its fold's training documents, ranked among inner ones."""
    means = average_segments([document.features for document in experiment.documents])
    found = {"audio": np.full(len(experiment.documents), np.nan), "text": np.full(len(experiment.documents), np.nan)}
    for fold in (one for one in folds if one.repeat == 0):
        known, held_out, test = list(fold.inner[0].train), list(fold.inner[0].validation), list(fold.test)
        for modality, values in (("audio", means.audio), ("text", means.text)):
            if not (np.isnan(values[known]).all() or np.isnan(values[held_out]).all()):
                found[modality][test] = p_values(fit_reference(values[known], values[held_out]), values[test])
    rows = _tested(folds)
    return OutOfDistribution(audio=found["audio"][rows], text=found["text"][rows])


def _hilbert(
    solved: SolvedArm, experiment: Experiment, folds: Sequence[OuterFold], findings: Sequence[FoldFindings]
) -> ArmEvidence:
    predictions = [
        replace(prediction, risks=one.scored.risks)
        for prediction, one in zip(predict(solved, experiment), findings, strict=True)
    ]
    return to_evidence(HILBERT, predictions, experiment, folds, effort=_effort(solved))


def _effort(*solved: SolvedArm) -> Effort:
    return Effort(candidates=len(solved[0].attempts), seconds=sum(one.seconds for one in solved))


def _arm(
    arm: ArmName, solved: Mapping[ArmName, SolvedArm], experiment: Experiment, folds: Sequence[OuterFold]
) -> ArmEvidence:
    if arm != "late_fusion":
        return to_evidence(arm, predict(solved[arm], experiment), experiment, folds, effort=_effort(solved[arm]))
    audio, text = solved["audio_only"], solved["text_only"]
    fused = fuse_late(audio, text, experiment, folds)
    return to_evidence(arm, fused, experiment, folds, effort=_effort(audio, text))


def _tested(folds: Sequence[OuterFold]) -> list[int]:
    return sorted({row for fold in folds for row in fold.test})


def _first_repeat(folds: Sequence[OuterFold], findings: Sequence[FoldFindings]) -> DocumentEmbeddings:
    rows = _tested(folds)
    place = {row: position for position, row in enumerate(rows)}
    width = findings[0].embedded.joint.shape[1]
    arrays = {name: np.zeros((len(rows), width)) for name in ("audio", "text", "joint")}
    fold_of = np.zeros(len(rows), dtype=np.int64)
    for fold, one in zip(folds, findings, strict=True):
        if fold.repeat == 0:
            at = [place[row] for row in fold.test]
            fold_of[at] = fold.number
            for name, values in arrays.items():
                values[at] = getattr(one.embedded, name)
    return DocumentEmbeddings(**arrays, fold_of=fold_of)


def _contributions(
    experiment: Experiment, folds: Sequence[OuterFold], findings: Sequence[FoldFindings]
) -> ContributionEvidence:
    """Of the first repeat, in the order of the tested rows."""
    by_row: dict[int, Contributions] = {}
    for fold, one in zip(folds, findings, strict=True):
        if fold.repeat == 0:
            by_row |= dict(zip(fold.test, one.scored.contributions, strict=True))
    rows = _tested(folds)
    moved = [by_row[row] for row in rows]
    outcomes, planted = experiment.tasks[experiment.task], experiment.planted()
    return ContributionEvidence(
        audio=np.array([one.audio for one in moved]),
        text=np.array([one.text for one in moved]),
        interaction=np.array([one.interaction for one in moved]),
        baseline=np.array([one.baseline for one in moved]),
        share_audio=np.array([np.nan if one.share_audio is None else one.share_audio for one in moved]),
        stable=np.array([one.stable for one in moved]),
        reported=np.array([outcomes.index(one.outcome) for one in moved], dtype=np.int64),
        planted=None if planted is None else tuple(planted[row] for row in rows),
    )


def _retrievals(found: Sequence[Retrieval]) -> Retrievals:
    def mean(values: Sequence[float]) -> float | None:
        defined = [value for value in values if np.isfinite(value)]
        return float(np.mean(defined)) if defined else None

    return Retrievals(
        audio_to_joint=mean([float(one.audio_to_joint.at_1) for one in found]),
        text_to_joint=mean([float(one.text_to_joint.at_1) for one in found]),
        audio_to_text=mean([float(one.audio_to_text.at_1) for one in found]),
        chance=mean([float(one.audio_to_text.chance) for one in found]),
    )
