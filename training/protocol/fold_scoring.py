"""Scoring the test documents of a fold with what ships: the exported graph, `model.scoring`, `model.explanation`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from model.bundle.bundle import Bundle
from model.bundle.manifest import NETWORK, Calibration, Manifest, Task, TaskCalibration
from model.encoders.runtime import RuntimeOptions
from model.explanation import Contributions, contributions
from model.export.network import export_network
from model.network.hilbert import Hilbert
from model.scoring import Scorer
from training.documents.labelled import LabelledDocument, measure_features
from training.fit.learner import Learner, outcome_shares


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """Risks of documents, and what moved the score of each one's likeliest outcome."""

    risks: Float[np.ndarray, "document outcome"]
    contributions: tuple[Contributions, ...]


@dataclass(frozen=True, slots=True)
class FoldScorer:
    """Makes a scorer for each fold's network, out of the graph that would be released."""

    folder: Path
    tasks: Mapping[str, tuple[str, ...]]
    options: RuntimeOptions

    def score(
        self, learner: Learner, calibration: Calibration, documents: Sequence[LabelledDocument], task: str
    ) -> Scored:
        """Score documents; raises ParityError when the graph disagrees with torch."""
        scorer = self._open(learner, calibration)
        risks = np.concatenate([scorer.risks([one.features], task) for one in documents])
        tops = risks.argmax(axis=1).tolist()
        moved = [
            contributions(scorer, one.features, task=task, outcome=top)
            for one, top in zip(documents, tops, strict=True)
        ]
        return Scored(risks=risks, contributions=tuple(moved))

    def _open(self, learner: Learner, calibration: Calibration) -> Scorer:
        network = learner.network
        assert isinstance(network, Hilbert)  # noqa: S101 - only HILBERT is scored as it ships
        self.folder.mkdir(parents=True, exist_ok=True)
        export_network(network, tasks=list(self.tasks), file=self.folder / NETWORK)
        manifest = Manifest(
            name="fold",
            version="0",
            demonstration=True,
            tasks=tuple(Task(name=name, outcomes=outcomes) for name, outcomes in self.tasks.items()),
            encoders={},
            files={},
        )
        return Scorer(Bundle(folder=self.folder, digest="", manifest=manifest, calibration=calibration), self.options)


def calibrate(
    learner_tasks: Mapping[str, tuple[str, ...]],
    train: Sequence[LabelledDocument],
    *,
    temperatures: Mapping[str, float],
    adjustment: float,
) -> Calibration:
    """The calibration that belongs to a network: temperatures of inner folds, shares and means of its training rows."""
    statistics = measure_features(train)
    shares = outcome_shares(learner_tasks, train)
    return Calibration(
        tasks={
            task: TaskCalibration(temperature=temperatures[task], prior=shares[task], adjustment=adjustment)
            for task in learner_tasks
        },
        audio_mean=tuple(statistics.audio_mean.tolist()),
        text_mean=tuple(statistics.text_mean.tolist()),
    )
