"""Cross-entropy of one task with missing labels and logit adjustment."""

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

    tau_la = 0 is plain cross-entropy; with tau_la = 1 the logits rank the outcomes as if all were equally frequent
    (logit adjustment, Menon et al. 2021). Missing labels (-1) are masked, not imputed; without any label the loss is a
    0 that is still part of the graph.

    See docs/method.md (L13).
    """
    labelled = labels >= 0
    log_probability = torch.log_softmax(zero_absent_rows(logits, labelled) + adjustment * log_prior, dim=-1)
    # `gather` refuses the index -1; the mean below leaves these rows out.
    of_label = log_probability.gather(1, labels.clamp(min=0).long().unsqueeze(1)).squeeze(1)
    return masked_mean(-of_label, labelled)


class TaskLoss(nn.Module):
    """The loss of one task; the outcome shares of the training fold are a buffer, so that folds can be stacked."""

    log_prior: Tensor

    def __init__(self, prior: Sequence[float], *, adjustment: float) -> None:
        """Raises ValueError unless every outcome has a share above 0 and the shares sum to 1."""
        super().__init__()
        if min(prior) <= 0 or abs(sum(prior) - 1) > SUM_TOLERANCE:
            raise ValueError("the outcome shares of the training fold must be above 0 and sum to 1")
        self.adjustment = adjustment
        self.register_buffer("log_prior", torch.tensor([math.log(share) for share in prior]))

    def forward(self, logits: Float[Tensor, "document outcome"], labels: Int[Tensor, " document"]) -> Float[Tensor, ""]:
        """The loss of the task in nats; see `task_loss`."""
        return task_loss(logits, labels, self.log_prior, self.adjustment)
