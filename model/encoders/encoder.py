"""The protocol of all encoders."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeVar, runtime_checkable

import numpy as np
from jaxtyping import Float32

from model.encoders.cancellation import Cancellation
from model.encoders.description import EncoderDescription

Material_contra = TypeVar("Material_contra", contravariant=True)

# Waveforms of one call differ in length: the axis has no name to bind.
Waveform = Float32[np.ndarray, "_"]


@runtime_checkable
class Encoder(Protocol[Material_contra]):
    """Encodes segments (waveforms or texts) into one feature vector each.

    A vector depends on its segment alone, up to floating-point noise: not on the other segments of a batch, nor on
    their number or order.
    """

    @property
    def description(self) -> EncoderDescription:
        """The description of the exported encoder."""
        ...

    @property
    def fingerprint(self) -> str:
        """Digest of graph, description and tokenizer."""
        ...

    @property
    def provider(self) -> str:
        """The ONNX Runtime execution provider in use."""
        ...

    def encode(
        self, material: Sequence[Material_contra], *, cancellation: Cancellation | None = None
    ) -> Float32[np.ndarray, "segment dim"]:
        """Encode segments, in order; thread-safe. Raises EncodingCancelled when the cancellation fires."""
        ...

    def close(self) -> None:
        """End the thread of the encoder; may be called again."""
        ...
