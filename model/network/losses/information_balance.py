"""Information-balance loss: penalises a joint embedding that one modality dominates.

It compares lower bounds on mutual information, or CKA values; neither is a measurement of information.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from model.network.losses.contrastive import Candidates, contrastive_loss, log_candidate_count

TEMPERATURE = 0.5  # fixed: with a learned temperature the bound could change without the embeddings


def infonce_bound(
    modality: Float[Tensor, "document out"], joint: Float[Tensor, "document out"], candidates: Candidates
) -> Float[Tensor, ""]:
    """I_m = clip(log B - L_{m<->j}(tau = 0.5), 0, log B) nats, a lower bound on I(m; j) (InfoNCE, van den Oord 2018).

    B is the number of candidates of a row, so the bound of uninformative embeddings is 0 also where other documents of
    a person are left out. Pass unit vectors of frozen heads, so that the bound cannot grow by the heads alone.

    See docs/method.md (L9).
    """
    most = log_candidate_count(candidates)
    return torch.minimum((most - contrastive_loss(modality, joint, candidates, 1 / TEMPERATURE)).clamp(min=0), most)


def information_share(information: Float[Tensor, ""], most: Float[Tensor, ""]) -> Float[Tensor, ""]:
    """I / log B, within [0, 1]; 0 if B is 1. See docs/method.md (L10)."""
    return information / torch.where(most > 0, most, 1.0)


def stop_gradient_gap_loss(audio: Float[Tensor, ""], text: Float[Tensor, ""], *, margin: float) -> Float[Tensor, ""]:
    """[relu(stopgrad(max) - min - margin)]^2 over the shares of both modalities.

    Without the stop-gradient, the loss could also close the gap by weakening the stronger modality.

    See docs/method.md (L11).
    """
    return torch.relu(torch.maximum(audio, text).detach() - torch.minimum(audio, text) - margin).square()


def absolute_gap_loss(audio: Float[Tensor, ""], text: Float[Tensor, ""]) -> Float[Tensor, ""]:
    """|audio - text| with gradients on both shares: the ablation of the stop-gradient.

    See docs/method.md (L12).
    """
    return (audio - text).abs()
