"""Score the test documents of a fold as a released bundle would: exported graph, `model.scoring`, explanation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from model.bundle.bundle import Bundle
from model.bundle.manifest import NETWORK, Calibration, Manifest, Task, TaskCalibration
from model.encoders.runtime import RuntimeOptions
from model.explanation import ModalityContributions, contributions
from model.export.network import export_network
from model.network.hilbert import Hilbert
from model.scoring import Scorer
from training.documents.labelled import LabelledDocument, measure_features
from training.fit.learner import Learner, outcome_shares


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredDocuments:
    """Risks of documents, and the modality contributions to the most probable outcome of each."""

    risks: Float[np.ndarray, "document outcome"]
    contributions: tuple[ModalityContributions, ...]


@dataclass(frozen=True, slots=True)
class FoldScorer:
    """Scores documents with the exported graph of a fold's network."""

    folder: Path
    tasks: Mapping[str, tuple[str, ...]]
    options: RuntimeOptions

    def score(
        self, learner: Learner, calibration: Calibration, documents: Sequence[LabelledDocument], task: str
    ) -> ScoredDocuments:
        """Risks and contributions of documents; raises ParityError when the graph disagrees with torch."""
        scorer = self._open(learner, calibration)
        # One call for each document: the rows of a call are views of the same segments.
        risks = np.concatenate([scorer.risks([document.features], task) for document in documents])
        tops = risks.argmax(axis=1).tolist()
        explained = [
            contributions(scorer, document.features, task=task, outcome=top)
            for document, top in zip(documents, tops, strict=True)
        ]
        return ScoredDocuments(risks=risks, contributions=tuple(explained))

    def _open(self, learner: Learner, calibration: Calibration) -> Scorer:
        network = learner.network
        assert isinstance(network, Hilbert)  # noqa: S101 - baselines are scored in torch
        self.folder.mkdir(parents=True, exist_ok=True)
        export_network(network, tasks=list(self.tasks), file=self.folder / NETWORK)
        # The scorer reads the tasks alone. No encoder runs here, because the features are given.
        manifest = Manifest(
            name="fold",
            version="0",
            demonstration=True,
            tasks=tuple(Task(name=name, outcomes=outcomes) for name, outcomes in self.tasks.items()),
            encoders={},
            files={},
        )
        return Scorer(Bundle(folder=self.folder, digest="", manifest=manifest, calibration=calibration), self.options)


def make_calibration(
    tasks: Mapping[str, tuple[str, ...]],
    train: Sequence[LabelledDocument],
    *,
    temperatures: Mapping[str, float],
    adjustment: float,
) -> Calibration:
    """The calibration of a network: given temperatures; outcome shares and mean features of its training documents."""
    statistics = measure_features(train)
    shares = outcome_shares(tasks, train)
    return Calibration(
        tasks={
            task: TaskCalibration(temperature=temperatures[task], prior=shares[task], adjustment=adjustment)
            for task in tasks
        },
        audio_mean=tuple(statistics.audio_mean.tolist()),
        text_mean=tuple(statistics.text_mean.tolist()),
    )
