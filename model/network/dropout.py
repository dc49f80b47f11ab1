"""Dropout with random bytes that the caller draws per document.

`nn.Dropout` draws from a global generator, so the noise of a document depends on its batch and on the order of calls.
A stack of folds could then not repeat the noise of a single fold, nor a resumed run that of an uninterrupted one.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

LEVELS = 256


class DropoutNoise:
    """The random bytes of one forward pass, consumed in the order of the layers.

    One row per document, and a new object for each pass. Documents that pad a batch do not change the noise of others.
    """

    def __init__(self, drawn: UInt8[Tensor, "document byte"]) -> None:
        self._drawn = drawn
        self._used = 0

    def take(self, shape: torch.Size) -> UInt8[Tensor, document * rest]:
        """The next bytes, in the given shape; raises ValueError if too few are left."""
        wanted = math.prod(shape[1:])
        if self._used + wanted > self._drawn.shape[1]:
            raise ValueError("too few random bytes for this network: draw as many as it counts")
        taken = self._drawn[:, self._used : self._used + wanted].reshape(shape)
        self._used += wanted
        return taken

    @property
    def left(self) -> int:
        """Bytes per document that are not used yet."""
        return self._drawn.shape[1] - self._used


class Dropout(nn.Module):
    """Sets a share of the values to zero and scales the rest to keep the mean; the identity without noise.

    The share is rounded to a multiple of 1/256.
    """

    def __init__(self, share: float) -> None:
        super().__init__()
        self.dropped = round(share * LEVELS)

    def forward(self, x: Float[Tensor, document * rest], noise: DropoutNoise | None) -> Float[Tensor, document * rest]:
        """Drop values in a training pass; in evaluation `noise` is None. See docs/method.md (N12)."""
        if noise is None:
            return x
        kept = noise.take(x.shape) >= self.dropped
        return x * (kept.to(x.dtype) * (LEVELS / (LEVELS - self.dropped)))
