"""Encoders that count what they are asked for, so that a test can tell what was kept from what was made again."""

from collections.abc import Sequence, Sized
from typing import Literal

import numpy as np

from model.encoders.cancellation import Cancellation
from model.encoders.description import EncoderDescription


class CountingEncoder:
    """Features of a material are its length, in every one of `dim` dimensions."""

    provider = "none"

    def __init__(self, modality: Literal["speech", "text"], fingerprint: str = "first", dim: int = 3) -> None:
        self.description = EncoderDescription(
            modality=modality, architecture="counting", source="test", dim=dim, layers=(1,), parity=0.0
        )
        self.fingerprint = fingerprint
        self.encoded = 0

    def encode(self, material: Sequence[Sized], *, cancellation: Cancellation | None = None) -> np.ndarray:
        self.encoded += len(material)
        return np.array([[len(one)] * self.description.dim for one in material], dtype=np.float32)

    def close(self) -> None:
        pass
