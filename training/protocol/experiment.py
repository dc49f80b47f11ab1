"""An experiment: the labelled documents of a cohort, with covariates and subgroups."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from training.baselines.arms import FeatureDims
from training.cohort.cohort import Cohort
from training.documents.labelled import LabelledDocument, digest_documents, read_labels
from training.documents.padding import choose_padded_lengths
from training.encoding.encoded_recording import EncodedRecording
from training.errors import NoTrainingDocumentsError
from training.evaluation.baseline import Covariates
from training.evaluation.subgroups import name_age_bands
from training.fit.guards import refuse_broken_features
from training.folds.nested import FoldSettings, OuterFold, draw_folds
from training.protocol.nested_selection import SelectionProblem

CARRIER = "carrier"
"""The note of the synthetic cohort that names the modality in which an outcome is planted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """The labelled documents of a cohort, one per row; recordings that fail the quality gate are counted, not kept."""

    cohort: Cohort
    documents: tuple[LabelledDocument, ...]
    encoded: tuple[EncodedRecording, ...]
    tasks: Mapping[str, tuple[str, ...]]
    dims: FeatureDims
    excluded: Mapping[str, int]

    @property
    def task(self) -> str:
        """The evaluated task: the first one."""
        return next(iter(self.tasks))

    @property
    def families(self) -> tuple[str, ...]:
        """Each document's family."""
        return tuple(document.family for document in self.documents)

    @property
    def bounds(self) -> tuple[int, ...]:
        """The padded lengths of documents, in segments; the same in every fold."""
        return choose_padded_lengths([len(document.features.indices) for document in self.documents])

    @property
    def digest(self) -> str:
        """Hexadecimal sha256 of all documents."""
        return digest_documents(self.documents)

    def labels(self, task: str | None = None) -> np.ndarray:
        """Labels of a task (None: the evaluated task), -1 where missing."""
        return read_labels(self.documents, task or self.task)

    def covariates(self) -> Covariates:
        """Age, sex, duration and signal-to-noise ratio of each document."""
        return Covariates(
            age=self.cohort.ages,
            sex=tuple(row.sex for row in self.cohort.rows),
            duration=np.array([recording.seconds for recording in self.encoded], dtype=np.float64),
            noise_ratio=np.array([np.nan if r.snr is None else r.snr for r in self.encoded], dtype=np.float64),
        )

    def subgroups(self) -> dict[str, tuple[str, ...]]:
        """The level of each document, for the covariates with more than one level; empty where unknown."""
        rows = self.cohort.rows
        levels = {
            "sex": tuple(row.sex for row in rows),
            "age band": name_age_bands(self.cohort.ages),
            "role": tuple(row.role or "" for row in rows),
            "device": tuple(row.device for row in rows),
            "site": tuple(row.site for row in rows),
        }
        return {name: values for name, values in levels.items() if len(set(values)) > 1}

    def planted(self) -> tuple[str, ...] | None:
        """The modality in which the synthetic cohort planted each outcome; None for a real cohort."""
        notes = [row.notes.get(CARRIER) for row in self.cohort.rows]
        return tuple(note or "none" for note in notes) if any(notes) else None

    def draw(self, settings: FoldSettings) -> tuple[OuterFold, ...]:
        """Draw the outer and inner folds; raises OutcomeAbsentError."""
        return draw_folds(self.families, self.labels(), self.tasks[self.task], settings)


def make_experiment(
    cohort: Cohort, encoded: Sequence[EncodedRecording], tasks: Mapping[str, tuple[str, ...]]
) -> Experiment:
    """Combine labels and features.

    Raises ManifestError for an unknown task or outcome, NoTrainingDocumentsError when no document can be trained on.
    """
    usable = [recording for recording in encoded if recording.features is not None]
    labels = {task: cohort.labels(task, outcomes) for task, outcomes in tasks.items()}
    documents = tuple(
        LabelledDocument(
            person=cohort.rows[recording.row].person,
            family=cohort.rows[recording.row].family,
            features=recording.features,
            # By the row of the manifest: recordings that fail the quality gate leave gaps.
            labels={task: int(values[recording.row]) for task, values in labels.items()},
        )
        for recording in usable
        if recording.features is not None
    )
    if not documents or not (read_labels(documents, next(iter(tasks))) >= 0).any():
        raise NoTrainingDocumentsError(
            "no recording has both features and a label of the task: inspect the manifest with `validate`"
        )
    # Later, a NaN would appear as a diverged loss that names no recording.
    refuse_broken_features(documents)
    return Experiment(
        cohort=cohort.take([recording.row for recording in usable]),
        documents=documents,
        encoded=tuple(usable),
        tasks=tasks,
        dims=FeatureDims(
            audio=documents[0].features.audio.shape[1],
            text=documents[0].features.text.shape[1],
        ),
        excluded=_count_excluded(encoded),
    )


def selection_problems(folds: Sequence[OuterFold]) -> tuple[SelectionProblem, ...]:
    """The selection problem of each outer fold."""
    return tuple(
        SelectionProblem(
            name=f"repeat {fold.repeat + 1}, fold {fold.number + 1}",
            # From 1 on: the network of a release has seed 0.
            seed=1 + number,
            train=fold.train,
            inner=fold.inner,
            test=fold.test,
        )
        for number, fold in enumerate(folds)
    )


def _count_excluded(encoded: Sequence[EncodedRecording]) -> dict[str, int]:
    """Number of recordings that fail the quality gate, by their first hard flag."""
    # A hard flag is the only reason for missing features, so there is always one.
    reasons = [
        next(flag.code for flag in recording.flags if flag.hard) for recording in encoded if recording.features is None
    ]
    return {f"too poor to score: {code.replace('_', ' ')}": count for code, count in sorted(Counter(reasons).items())}
