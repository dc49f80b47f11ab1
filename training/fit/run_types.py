"""What goes into the training of some folds, and what comes out."""

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
class FoldMaterial:
    """What one run learns from, stops by, and must not see.

    With validation documents the weights of the best look are kept; without, those after `stop_at` steps (None: the
    last). `held_out` are the families of the test part.
    """

    name: str
    seed: int
    train: Sequence[LabelledDocument]
    validation: Sequence[LabelledDocument] = ()
    stop_at: int | None = None
    held_out: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What was seen after a step, fold by fold: unweighted terms, and the validation score (larger is better)."""

    step: int
    steps: int
    terms: Mapping[str, Float[np.ndarray, " fold"]]
    totals: Float[np.ndarray, " fold"]
    scores: Float[np.ndarray, " fold"] | None
    done: int

    def to_json(self) -> JsonValue:
        """For a saved state; numbers come back bit for bit."""
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
    def from_json(cls, kept: JsonValue) -> Look:
        """Read what `to_json` wrote."""
        found = json.loads(str(kept))
        return cls(
            step=found["step"],
            steps=found["steps"],
            terms={name: np.array(values) for name, values in found["terms"].items()},
            totals=np.array(found["totals"]),
            scores=None if found["scores"] is None else np.array(found["scores"]),
            done=found["done"],
        )


def _ignore(_look: Look) -> None:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """How folds are trained: settings, share of dropped modalities, lengths to pad to, where the state is kept."""

    settings: TrainerSettings
    modality_dropout: float = 0.0
    bounds: tuple[int, ...] | None = None  # None: chosen for these folds
    state: Path | None = None  # None: a killed run begins anew
    report: Callable[[Look], None] = _ignore


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedFold:
    """One fold's learner as it was at its best step, in evaluation mode; `score` is None without validation."""

    name: str
    learner: Learner
    best_step: int
    score: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedStack:
    """The folds in the order they were given, and what was seen on the way."""

    folds: tuple[TrainedFold, ...]
    looks: tuple[Look, ...]
