"""Dropout whose chance comes from outside, document by document.

`nn.Dropout` draws from a global stream, so what a document meets depends on its batch mates and on the order of
the calls: a stack of folds could not repeat what each fold meets alone, nor a resumed run what an uninterrupted
one meets. Here every document brings its own random bytes.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

LEVELS = 256


class DropoutNoise:
    """The random bytes of one forward pass, used up in the order in which the layers ask.

    One row a document; made anew for each pass. Padding a batch with documents changes nothing for the others.
    """

    def __init__(self, drawn: UInt8[Tensor, "document byte"]) -> None:
        self._drawn = drawn
        self._used = 0

    def take(self, shape: torch.Size) -> UInt8[Tensor, document * rest]:
        """Bytes for a tensor of documents; raises ValueError when too few are left."""
        wanted = math.prod(shape[1:])
        if self._used + wanted > self._drawn.shape[1]:
            raise ValueError("too few random bytes for this network: draw as many as it counts")
        taken = self._drawn[:, self._used : self._used + wanted].reshape(shape)
        self._used += wanted
        return taken

    @property
    def left(self) -> int:
        """Bytes a document that nobody has asked for."""
        return self._drawn.shape[1] - self._used


class Dropout(nn.Module):
    """Zeroes a share of the values and scales the rest to keep the mean; does nothing without noise.

    The share is a multiple of 1/256, the nearest to the one asked for.
    """

    def __init__(self, share: float) -> None:
        super().__init__()
        self.dropped = round(share * LEVELS)

    def forward(self, x: Float[Tensor, document * rest], noise: DropoutNoise | None) -> Float[Tensor, document * rest]:
        """Drop values of a training pass; `noise` is None when nothing shall be dropped. See docs/method.md (N12)."""
        if noise is None:
            return x
        kept = noise.take(x.shape) >= self.dropped
        return x * (kept.to(x.dtype) * (LEVELS / (LEVELS - self.dropped)))
