"""From a few processes to many: the Universal Scalability Law, and the ceiling that a shared part sets.

C(N) = N / (1 + sigma (N - 1) + kappa N (N - 1)) times the throughput of one (Gunther): sigma is the share that does
not run at once, kappa what processes cost each other. kappa needs at least three sizes; with two it is taken for 0,
which is Amdahl's law.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True, kw_only=True)
class Law:
    """How much more N do than one."""

    sigma: float
    kappa: float

    def gain(self, count: int) -> float:
        """Throughput of so many over that of one."""
        return count / (1 + self.sigma * (count - 1) + self.kappa * count * (count - 1))


def fit(gains: Mapping[int, float]) -> Law:
    """The law through measured gains by count, those above 1; neither number is below 0.

    N / C(N) - 1 is linear in both numbers, so least squares give them.
    """
    counts = np.array([count for count in gains if count > 1], dtype=float)
    lost = np.array([count / gains[int(count)] - 1 for count in counts])
    columns = np.stack([counts - 1, counts * (counts - 1)], axis=1)
    if len(counts) > 1:
        (sigma, kappa), *_ = np.linalg.lstsq(columns, lost, rcond=None)
        if sigma >= 0 and kappa >= 0:
            return Law(sigma=float(sigma), kappa=float(kappa))
    only = columns[:, 0]
    return Law(sigma=max(0.0, float(only @ lost / (only @ only))), kappa=0.0)
