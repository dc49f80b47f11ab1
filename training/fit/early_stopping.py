"""Early stopping: the best weights of each fold, and the step at which a fold is done."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from training.config import TrainerSettings
from training.fit.fold_stack import Weights
from training.fit.run_types import FoldData


class EarlyStopping:
    """The best weights so far of each fold of a stack.

    A fold with validation documents keeps the weights of its best validation score. A fold without them keeps the
    weights after a fixed number of steps.
    """

    def __init__(self, folds: Sequence[FoldData], weights: Weights, settings: TrainerSettings) -> None:
        self.folds, self.settings = folds, settings
        # A copy, because the optimiser changes the parameters in place.
        self.best_weights: Weights = {name: value.detach().clone() for name, value in weights.items()}
        self.best_steps = [0] * len(folds)
        # An undefined score is minus infinity and never above this: such a fold keeps its initial weights.
        self.best_scores = [-math.inf] * len(folds)

    def update(self, scores: Float[np.ndarray, " fold"], weights: Weights, step: int) -> None:
        """Keep the weights of the folds whose validation score improved. See docs/method.md (T6)."""
        for fold, score in enumerate(scores.tolist()):
            if score > self.best_scores[fold]:
                self.best_scores[fold] = score
                self._keep(fold, weights, step)

    def keep_at_fixed_step(self, weights: Weights, step: int) -> None:
        """Keep the weights of the folds without validation documents that stop at this step."""
        for number, fold in enumerate(self.folds):
            if not fold.validation and step == self._fixed_step(fold):
                self._keep(number, weights, step)

    def count_done(self, step: int, first: int) -> int:
        """Number of folds that have stopped; patience is counted from the step `first` on. See docs/method.md (T6)."""
        return sum(self._is_done(fold, step, first) for fold in range(len(self.folds)))

    def _is_done(self, number: int, step: int, first: int) -> bool:
        fold = self.folds[number]
        if not fold.validation:
            return step >= self._fixed_step(fold)
        # In staged mode no score before `first` is kept, so patience would run out before the second phase (T6).
        return step - max(self.best_steps[number], first) >= self.settings.patience * self.settings.look_every

    def _fixed_step(self, fold: FoldData) -> int:
        return self.settings.steps if fold.stop_at is None else fold.stop_at

    def _keep(self, fold: int, weights: Weights, step: int) -> None:
        self.best_steps[fold] = step
        for name, value in weights.items():
            self.best_weights[name][fold] = value.detach()[fold]
