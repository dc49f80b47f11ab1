"""Centred kernel alignment (CKA) with linear kernels: similarity of the geometry of two sets of embeddings."""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from model.network.losses.rows import zero_absent_rows

CkaEstimator = Literal["unbiased", "biased"]
Gram = Float[Tensor, "document document"]

LEAST_ROWS = 8  # with fewer rows the estimate is noise, and its denominators vanish at 2 and 3
# Rows are scaled to a mean square norm of 1, so this is the HSIC of embeddings that differ by about 1 in 10,000.
EPS = 1e-16


def cka(
    left: Float[Tensor, "document left"],
    right: Float[Tensor, "document right"],
    present: Bool[Tensor, " document"],
    *,
    estimator: CkaEstimator = "unbiased",
) -> Float[Tensor, ""]:
    """CKA of the present rows: 1 for equal geometry; 0 for fewer than 8 rows and for collapsed embeddings.

    HSIC(K, L) / sqrt(HSIC(K, K) HSIC(L, L)) with K = XX' and L = YY' (Kornblith et al. 2019). The unbiased
    estimator, within [-1, 1], is about 0 for independent embeddings at any batch size (Song et al. 2012; Nguyen et al.
    2021). The biased estimator is about width / (width + n) there and is for the ablation only.

    See docs/method.md (L5, L6, L8).
    """
    rows = present.sum().to(left.dtype)
    first, second = _gram(left, present), _gram(right, present)
    measure = _hsic_unbiased if estimator == "unbiased" else _hsic_biased
    cross = measure(first, second, rows)
    # Two roots, because the product of two tiny values underflows in float32.
    spread = measure(first, first, rows).clamp(min=EPS).sqrt() * measure(second, second, rows).clamp(min=EPS).sqrt()
    return torch.where(rows >= LEAST_ROWS, cross / spread, 0.0)


def cka_loss(
    document: Float[Tensor, "document left"],
    joint: Float[Tensor, "document right"],
    present: Bool[Tensor, " document"],
    *,
    estimator: CkaEstimator = "unbiased",
) -> Float[Tensor, ""]:
    """1 - CKA: the loss of a modality's geometry in the joint space. 0 for fewer than 8 present rows.

    See docs/method.md (L7).
    """
    alignment = cka(document, joint, present, estimator=estimator)
    return torch.where(present.sum() >= LEAST_ROWS, 1 - alignment, 0.0)


def _gram(x: Float[Tensor, "document width"], present: Bool[Tensor, " document"]) -> Gram:
    """Inner products of the present rows after centring and scaling; zero elsewhere.

    Neither changes the alignment; both avoid cancellation in float32. The scale is that of the rows before centring, so
    embeddings that collapsed to one point stay near 0.
    """
    rows = present.sum().clamp(min=1).to(x.dtype)
    cleared = zero_absent_rows(x, present)
    # Centring moves absent rows away from 0.
    centred = zero_absent_rows(cleared - cleared.sum(dim=0) / rows, present)
    # Detached: the scale does not change the alignment, so its gradient is rounding only (L5).
    norm = (cleared.detach().square().sum() / rows).clamp(min=torch.finfo(x.dtype).tiny).sqrt()
    scaled = centred / norm
    return scaled @ scaled.T


def _hsic_unbiased(first: Gram, second: Gram, rows: Float[Tensor, ""]) -> Float[Tensor, ""]:
    """HSIC1 = [tr(KL) + (1'K1)(1'L1) / ((n-1)(n-2)) - 2/(n-2) 1'KL1] / (n(n-3)), with zero diagonals."""
    # With fewer rows `cka` drops the result, but a division by 0 would make the gradient of its `where` NaN.
    n = rows.clamp(min=LEAST_ROWS)
    k, l_ = _hollow(first), _hollow(second)
    k_sums, l_sums = k.sum(dim=1), l_.sum(dim=1)
    trace = (k * l_).sum()
    sums = k_sums.sum() * l_sums.sum() / ((n - 1) * (n - 2))
    return (trace + sums - 2 / (n - 2) * (k_sums * l_sums).sum()) / (n * (n - 3))


def _hsic_biased(first: Gram, second: Gram, rows: Float[Tensor, ""]) -> Float[Tensor, ""]:
    """HSIC0 = tr(KHLH) / (n-1)^2; the Gram matrices are already centred."""
    return (first * second).sum() / (rows.clamp(min=LEAST_ROWS) - 1).square()


def _hollow(gram: Gram) -> Gram:
    return gram - torch.diag(gram.diagonal())
