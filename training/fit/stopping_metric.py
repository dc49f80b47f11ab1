"""The validation score that early stopping maximises."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
from jaxtyping import Float

from training.cohort.cohort import MISSING
from training.documents.labelled import LabelledDocument, read_labels
from training.evaluation.metrics import log_loss, macro_auroc

Criterion = Literal["log_loss", "macro_auroc"]


def stopping_score(
    risks: Mapping[str, Float[np.ndarray, "document _"]],
    documents: Sequence[LabelledDocument],
    outcomes: Mapping[str, tuple[str, ...]],
    criterion: Criterion,
) -> float:
    """Negative log loss or macro AUROC, summed over tasks. Larger is better; minus infinity when it is undefined.

    See docs/method.md (T6).
    """
    scores = []
    for task, probabilities in risks.items():
        labels = read_labels(documents, task)
        # Without labels the log loss is NaN, and in a sum it would hide the scores of the other tasks.
        if (labels != MISSING).any():
            by_log_loss = criterion == "log_loss"
            scores.append(
                -log_loss(probabilities, labels)
                if by_log_loss
                else macro_auroc(probabilities, labels, outcomes[task]).value
            )
    defined = [value for value in scores if value is not None]
    return float(np.sum(defined)) if defined else -math.inf
