"""A request of one thread: the features of the units that it submitted together."""

from __future__ import annotations

import threading

import numpy as np
from jaxtyping import Float32


class EncodingRequest:
    """Filled row by row by the thread of the batcher, under its lock; ends once, complete or with an error."""

    def __init__(self, rows: int, dim: int, cost: float) -> None:
        self.cost = cost
        self._features = np.zeros((rows, dim), dtype=np.float32)
        self._missing = rows
        self._error: Exception | None = None
        self._ended = threading.Event()

    @property
    def ended(self) -> bool:
        """Whether the request is complete or failed."""
        return self._ended.is_set()

    def fill(self, row: int, features: Float32[np.ndarray, " dim"]) -> None:
        """Set the features of a row; without effect after the end."""
        if self.ended:
            return
        self._features[row] = features
        self._missing -= 1
        if not self._missing:
            self._ended.set()

    def fail(self, error: Exception) -> None:
        """End the request with an error; without effect after the end."""
        if not self.ended:
            self._error = error
            self._ended.set()

    def result(self) -> Float32[np.ndarray, "unit dim"]:
        """Wait for the end; raises the error of a failed request."""
        self._ended.wait()
        if self._error is not None:
            raise self._error
        return self._features
