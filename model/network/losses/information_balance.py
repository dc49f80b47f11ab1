"""Keeps one modality from dominating: the joint embedding shall know about as much of either.

What is compared are lower bounds on mutual information, or alignments; neither is a measured information.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from model.network.losses.contrastive import Candidates, contrastive_loss, log_candidate_count

TEMPERATURE = 0.5  # fixed: a learned one would let the bound move without the embeddings


def infonce_bound(
    modality: Float[Tensor, "document out"], joint: Float[Tensor, "document out"], candidates: Candidates
) -> Float[Tensor, ""]:
    """I_m = clip(log B - L_{m<->j}(tau = 0.5), 0, log B) nats, a lower bound on I(m; j) (InfoNCE, van den Oord 2018).

    B is the number of candidates a row chooses among, so the bound is 0 for embeddings that tell nothing also where a
    person's other documents are left out. Pass unit vectors from frozen heads: the heads must not earn the bound.
    """
    most = log_candidate_count(candidates)
    return torch.minimum((most - contrastive_loss(modality, joint, candidates, 1 / TEMPERATURE)).clamp(min=0), most)


def information_share(information: Float[Tensor, ""], most: Float[Tensor, ""]) -> Float[Tensor, ""]:
    """I / log B, within [0, 1]; 0 when there was nothing to choose from."""
    return information / torch.where(most > 0, most, 1.0)


def stop_gradient_gap_loss(audio: Float[Tensor, ""], text: Float[Tensor, ""], *, margin: float) -> Float[Tensor, ""]:
    """[relu(stopgrad(max) - min - margin)]^2 over the shares of both modalities.

    The stop-gradient matters: without it the gap closes as well by destroying the stronger modality.
    """
    return torch.relu(torch.maximum(audio, text).detach() - torch.minimum(audio, text) - margin).square()


def absolute_gap_loss(audio: Float[Tensor, ""], text: Float[Tensor, ""]) -> Float[Tensor, ""]:
    """|audio - text|, gradients on both: the ablation that shows what the stop-gradient is for."""
    return (audio - text).abs()
