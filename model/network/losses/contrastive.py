"""Symmetric contrastive loss between a modality and the joint embedding, and the recall of held-out documents."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from model.network.losses.rows import masked_mean, zero_absent_rows

Candidates = Bool[Tensor, "document document"]


def contrastive_loss(
    anchor: Float[Tensor, "document out"],
    target: Float[Tensor, "document out"],
    candidates: Candidates,
    scale: Float[Tensor, ""] | float,
) -> Float[Tensor, ""]:
    """Mean of two cross-entropies in nats: of each anchor's target, and of each target's anchor.

    s_ik = scale <anchor_i, target_k> over unit vectors; docs/method.md's L_{m<->j}, after CLIP (Radford et al. 2021).
    A row is matched among its candidates (`candidate_mask`). The mean is over rows that are present; a row without
    negatives has a loss of 0. The loss is 0 if no row is present.

    See docs/method.md (L4).
    """
    present = candidates.diagonal()
    similarity = scale * zero_absent_rows(anchor, present) @ zero_absent_rows(target, present).T
    return 0.5 * (_cross_entropy(similarity, candidates) + _cross_entropy(similarity.T, candidates.T))


def log_candidate_count(candidates: Candidates) -> Float[Tensor, ""]:
    """Mean log of the number of candidates of a row, in nats: log B if every person has one document.

    It is the contrastive loss of uninformative embeddings.

    See docs/method.md (L9).
    """
    # An absent row has no candidate, and the log of 0 is infinite.
    return masked_mean(candidates.sum(dim=1).clamp(min=1).log(), candidates.diagonal())


@dataclass(frozen=True, slots=True, kw_only=True)
class Recall:
    """Share of documents whose own target is nearer than all negatives, and the share by chance.

    Both are NaN if no document has a negative.
    """

    at_1: Float[Tensor, ""]
    chance: Float[Tensor, ""]


@torch.no_grad()
def recall_at_1(
    anchor: Float[Tensor, "document out"], target: Float[Tensor, "document out"], candidates: Candidates
) -> Recall:
    """Recall at 1 from anchor to target among the candidates; a tie is a miss, so that collapse scores 0.

    See docs/method.md (E17).
    """
    itself = torch.eye(candidates.shape[0], dtype=torch.bool, device=candidates.device)
    rivals = candidates & ~itself
    similarity = anchor @ target.T
    best_rival = torch.where(rivals, similarity, -torch.inf).amax(dim=1)
    hits = (similarity.diagonal() > best_rival).to(anchor.dtype)
    measured = rivals.any(dim=1)
    chance = 1 / (1 + rivals.sum(dim=1)).to(anchor.dtype)
    undefined = torch.where(measured.any(), 0.0, torch.nan)
    return Recall(at_1=masked_mean(hits, measured) + undefined, chance=masked_mean(chance, measured) + undefined)


def _cross_entropy(similarity: Float[Tensor, "document document"], candidates: Candidates) -> Float[Tensor, ""]:
    """Mean of -log softmax(s_i)_i over the present rows."""
    offered = torch.where(candidates, similarity, -torch.inf)
    return masked_mean(offered.logsumexp(dim=1) - similarity.diagonal(), candidates.diagonal())
