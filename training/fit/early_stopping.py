"""Which weights of each fold are kept: those of the best look, or those after a number of steps."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from training.config import TrainerSettings
from training.fit.fold_stack import Weights
from training.fit.run_types import FoldMaterial


class Kept:
    """The best weights so far of each fold of a stack, and when a fold is done."""

    def __init__(self, folds: Sequence[FoldMaterial], weights: Weights, settings: TrainerSettings) -> None:
        self.folds, self.settings = folds, settings
        self.weights: Weights = {name: value.detach().clone() for name, value in weights.items()}
        self.steps = [0] * len(folds)
        self.scores = [-math.inf] * len(folds)

    def keep_better(self, scores: Float[np.ndarray, " fold"], weights: Weights, step: int) -> None:
        """Keep the weights of the folds whose validation score has risen."""
        for fold, score in enumerate(scores.tolist()):
            if score > self.scores[fold]:
                self.scores[fold] = score
                self._keep(fold, weights, step)

    def keep_due(self, weights: Weights, step: int) -> None:
        """Keep the weights of the folds without validation documents that were told this step."""
        for number, fold in enumerate(self.folds):
            if not fold.validation and step == self._told(fold):
                self._keep(number, weights, step)

    def count_done(self, step: int, first: int) -> int:
        """Folds that wait for nothing more; patience counts from `first` on."""
        return sum(self._is_done(fold, step, first) for fold in range(len(self.folds)))

    def _is_done(self, number: int, step: int, first: int) -> bool:
        fold = self.folds[number]
        if not fold.validation:
            return step >= self._told(fold)
        return step - max(self.steps[number], first) >= self.settings.patience * self.settings.look_every

    def _told(self, fold: FoldMaterial) -> int:
        return self.settings.steps if fold.stop_at is None else fold.stop_at

    def _keep(self, fold: int, weights: Weights, step: int) -> None:
        self.steps[fold] = step
        for name, value in weights.items():
            self.weights[name][fold] = value.detach()[fold]
