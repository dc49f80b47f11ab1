"""A cohort made ready for training: documents with labels, and what is known of them beside their features."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from training.baselines.arms import FeatureDims
from training.cohort.cohort import Cohort
from training.documents.labelled import LabelledDocument, digest_documents, read_labels
from training.documents.padding import choose_bounds
from training.encoding.encoded_recording import EncodedRecording
from training.evaluation.baseline import Covariates
from training.evaluation.subgroups import name_age_bands
from training.fit.guards import refuse_broken_features
from training.folds.nested import FoldSettings, OuterFold, draw_folds
from training.protocol.nested_selection import Problem

CARRIER = "carrier"
"""The note in which the synthetic cohort says where an outcome is planted."""


class NothingToTrainError(ValueError):
    """No recording of the cohort has a label of the task and features."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """Labelled documents of a cohort, row by row; recordings too poor to score are left out and counted."""

    cohort: Cohort
    documents: tuple[LabelledDocument, ...]
    encoded: tuple[EncodedRecording, ...]
    tasks: Mapping[str, tuple[str, ...]]
    dims: FeatureDims
    excluded: Mapping[str, int]

    @property
    def task(self) -> str:
        """The task that is evaluated."""
        return next(iter(self.tasks))

    @property
    def families(self) -> tuple[str, ...]:
        """Each document's family."""
        return tuple(document.family for document in self.documents)

    @property
    def bounds(self) -> tuple[int, ...]:
        """Lengths that documents are padded to, the same in every fold."""
        return choose_bounds([len(document.features.indices) for document in self.documents])

    @property
    def digest(self) -> str:
        """Hexadecimal sha256 of all documents."""
        return digest_documents(self.documents)

    def labels(self, task: str | None = None) -> np.ndarray:
        """Labels of a task (None: the one evaluated), -1 where missing."""
        return read_labels(self.documents, task or self.task)

    def covariates(self) -> Covariates:
        """Age, sex, duration and signal-to-noise ratio of each document."""
        return Covariates(
            age=self.cohort.ages,
            sex=tuple(row.sex for row in self.cohort.rows),
            duration=np.array([one.seconds for one in self.encoded], dtype=np.float64),
            noise_ratio=np.array([np.nan if one.snr is None else one.snr for one in self.encoded], dtype=np.float64),
        )

    def subgroups(self) -> dict[str, tuple[str, ...]]:
        """Values of the covariates that somebody has, document by document."""
        rows = self.cohort.rows
        found = {
            "sex": tuple(row.sex for row in rows),
            "age band": name_age_bands(self.cohort.ages),
            "role": tuple(row.role or "" for row in rows),
            "device": tuple(row.device for row in rows),
            "site": tuple(row.site for row in rows),
        }
        return {name: values for name, values in found.items() if len(set(values)) > 1}

    def planted(self) -> tuple[str, ...] | None:
        """Where the synthetic cohort planted each outcome; None for a real cohort."""
        notes = [row.notes.get(CARRIER) for row in self.cohort.rows]
        return tuple(note or "none" for note in notes) if any(notes) else None

    def draw(self, settings: FoldSettings) -> tuple[OuterFold, ...]:
        """The folds of this cohort; raises OutcomeAbsentError."""
        return draw_folds(self.families, self.labels(), self.tasks[self.task], settings)


def make_experiment(
    cohort: Cohort, encoded: Sequence[EncodedRecording], tasks: Mapping[str, tuple[str, ...]]
) -> Experiment:
    """Put labels and features together; raises ManifestError for unknown tasks and outcomes, NothingToTrainError."""
    usable = [one for one in encoded if one.features is not None]
    labels = {task: cohort.labels(task, outcomes) for task, outcomes in tasks.items()}
    documents = tuple(
        LabelledDocument(
            person=cohort.rows[one.row].person,
            family=cohort.rows[one.row].family,
            features=one.features,
            labels={task: int(found[one.row]) for task, found in labels.items()},
        )
        for one in usable
        if one.features is not None
    )
    if not documents or not (read_labels(documents, next(iter(tasks))) >= 0).any():
        raise NothingToTrainError("no recording has both features and a label of the task: inspect it with `validate`")
    refuse_broken_features(documents)
    return Experiment(
        cohort=cohort.take([one.row for one in usable]),
        documents=documents,
        encoded=tuple(usable),
        tasks=tasks,
        dims=FeatureDims(
            audio=documents[0].features.audio.shape[1],
            text=documents[0].features.text.shape[1],
        ),
        excluded=_count_excluded(encoded),
    )


def outer_problems(folds: Sequence[OuterFold]) -> tuple[Problem, ...]:
    """Each outer fold as something to solve."""
    return tuple(
        Problem(
            name=f"repeat {fold.repeat + 1}, fold {fold.number + 1}",
            seed=1 + number,
            train=fold.train,
            inner=fold.inner,
            test=fold.test,
        )
        for number, fold in enumerate(folds)
    )


def _count_excluded(encoded: Sequence[EncodedRecording]) -> dict[str, int]:
    """Recordings that the quality gate withholds, by their first hard flag."""
    reasons = [next(flag.code for flag in one.flags if flag.hard) for one in encoded if one.features is None]
    return {f"too poor to score: {code.replace('_', ' ')}": count for code, count in sorted(Counter(reasons).items())}
