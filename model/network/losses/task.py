"""Cross-entropy of one task with missing labels and logit adjustment, and the risk that belongs to it."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from model.network.losses.rows import masked_mean, zero_absent_rows

MISSING = -1  # any negative label counts as missing
SUM_TOLERANCE = 1e-3


def task_loss(
    logits: Float[Tensor, "document outcome"],
    labels: Int[Tensor, " document"],
    log_prior: Float[Tensor, " outcome"],
    adjustment: float,
) -> Float[Tensor, ""]:
    """Mean cross-entropy in nats of softmax(o + tau_la log pi_train) over the labelled documents.

    tau_la = 0 is plain cross-entropy; with 1 the logits themselves rank outcomes as if all were equally
    frequent (logit adjustment, Menon et al. 2021). A missing label (-1) is masked, never imputed; without
    any label the loss is a 0 that still belongs to the graph.
    """
    labelled = labels >= 0
    log_probability = torch.log_softmax(zero_absent_rows(logits, labelled) + adjustment * log_prior, dim=-1)
    of_label = log_probability.gather(1, labels.clamp(min=0).long().unsqueeze(1)).squeeze(1)
    return masked_mean(-of_label, labelled)


class TaskLoss(nn.Module):
    """The loss of one task with the outcome shares of its training fold, which are a buffer and so stack over folds."""

    log_prior: Tensor

    def __init__(self, prior: Sequence[float], *, adjustment: float) -> None:
        """Raises ValueError unless every outcome has a share above 0 and the shares sum to 1."""
        super().__init__()
        if min(prior) <= 0 or abs(sum(prior) - 1) > SUM_TOLERANCE:
            raise ValueError("give every outcome its share in the training fold: above 0, together 1")
        self.adjustment = adjustment
        self.register_buffer("log_prior", torch.tensor([math.log(share) for share in prior]))

    def forward(self, logits: Float[Tensor, "document outcome"], labels: Int[Tensor, " document"]) -> Float[Tensor, ""]:
        """The task's loss in nats; see `task_loss`."""
        return task_loss(logits, labels, self.log_prior, self.adjustment)
