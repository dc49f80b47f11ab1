"""How the terms of the loss fell, over the folds of an evaluation."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from training.evaluation.evidence import TermHistory
from training.protocol.fold_runs import FittedStack


def gather_histories(stacks: Sequence[FittedStack]) -> tuple[TermHistory, ...]:
    """Each term's mean and spread over all runs, at the steps that every run reached."""
    if not stacks:
        return ()
    steps = sorted(set.intersection(*({look.step for look in stack.looks} for stack in stacks)))
    names = stacks[0].looks[0].terms if stacks[0].looks else ()
    values = {
        name: np.stack(
            [
                np.concatenate([look.terms[name] for stack in stacks for look in stack.looks if look.step == step])
                for step in steps
            ]
        )
        for name in (names if steps else ())
    }
    return tuple(
        TermHistory(
            name=name,
            steps=np.array(steps, dtype=np.int64),
            mean=found.mean(axis=1).astype(np.float64),
            low=np.quantile(found, 0.1, axis=1).astype(np.float64),
            high=np.quantile(found, 0.9, axis=1).astype(np.float64),
        )
        for name, found in values.items()
    )
