"""The inputs and outputs of training a stack of folds."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float
from pydantic import JsonValue

from training.config import TrainerSettings
from training.documents.labelled import LabelledDocument
from training.fit.learner import Learner


@dataclass(frozen=True, slots=True, kw_only=True)
class FoldData:
    """The documents of one fold: training, validation, and the families that must not be seen.

    With validation documents, early stopping keeps the weights of the best epoch. Without them, the weights after
    `stop_at` steps are kept (None: after the last step). `held_out` names the families of the test part.
    """

    name: str
    seed: int
    train: Sequence[LabelledDocument]
    validation: Sequence[LabelledDocument] = ()
    stop_at: int | None = None
    held_out: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class EpochReport:
    """Losses and validation scores of every fold after a step; a step reads all training documents once.

    `terms` are unweighted. `scores` are the validation scores (larger is better), None without validation documents.
    `done` counts the folds that have stopped.
    """

    step: int
    steps: int
    terms: Mapping[str, Float[np.ndarray, " fold"]]
    totals: Float[np.ndarray, " fold"]
    scores: Float[np.ndarray, " fold"] | None
    done: int

    def to_json(self) -> JsonValue:
        """A JSON string for a saved state; numbers are restored bit for bit."""
        return json.dumps(
            {
                "step": self.step,
                "steps": self.steps,
                "terms": {name: values.tolist() for name, values in self.terms.items()},
                "totals": self.totals.tolist(),
                "scores": None if self.scores is None else self.scores.tolist(),
                "done": self.done,
            }
        )

    @classmethod
    def from_json(cls, content: JsonValue) -> EpochReport:
        """Read the output of `to_json`."""
        fields = json.loads(str(content))
        return cls(
            step=fields["step"],
            steps=fields["steps"],
            terms={name: np.array(values) for name, values in fields["terms"].items()},
            totals=np.array(fields["totals"]),
            scores=None if fields["scores"] is None else np.array(fields["scores"]),
            done=fields["done"],
        )


ReportEpoch = Callable[[str, EpochReport], None]
"""Receives the title of a stack and its newest report."""


def _ignore(_report: EpochReport) -> None:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class FitOptions:
    """How folds are trained: settings, modality dropout, padded lengths, state file, and a callback for reports."""

    settings: TrainerSettings
    modality_dropout: float = 0.0
    bounds: tuple[int, ...] | None = None  # None: chosen for these folds
    state: Path | None = None  # None: a killed run starts over
    on_report: Callable[[EpochReport], None] = _ignore


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedFold:
    """The learner of one fold at its best step, in evaluation mode; `score` is None without validation documents."""

    name: str
    learner: Learner
    best_step: int
    score: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedStack:
    """The trained folds, in the order given, and the reports of their training."""

    folds: tuple[TrainedFold, ...]
    reports: tuple[EpochReport, ...]
