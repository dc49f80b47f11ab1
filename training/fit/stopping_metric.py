"""How good a network is on the documents that stop its training."""

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
    """Minus the log loss, or the macro AUROC, summed over tasks: larger is better; minus infinity if undefined."""
    scores = []
    for task, probabilities in risks.items():
        labels = read_labels(documents, task)
        if (labels != MISSING).any():
            by_log_loss = criterion == "log_loss"
            scores.append(
                -log_loss(probabilities, labels)
                if by_log_loss
                else macro_auroc(probabilities, labels, outcomes[task]).value
            )
    defined = [value for value in scores if value is not None]
    return float(np.sum(defined)) if defined else -math.inf
