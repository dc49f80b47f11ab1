"""An encoder with a cache of feature vectors by segment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Generic, TypeVar

import numpy as np
from jaxtyping import Float32

from model.cache.feature_cache import cache_key
from model.cache.segment_cache import SegmentCache
from model.encoders.cancellation import Cancellation
from model.encoders.description import EncoderDescription
from model.encoders.encoder import Encoder

CACHE_VERSION = b"1"
"""Part of every cache key. Increase it when preprocessing outside the graph changes: old entries are then not used."""

Material = TypeVar("Material", bound=np.ndarray | str)

_STORED = np.dtype("<f4")


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheCounts:
    """Number of cache hits and misses."""

    hits: int = 0
    misses: int = 0

    def __add__(self, other: CacheCounts) -> CacheCounts:
        """The sum of both counts."""
        return CacheCounts(hits=self.hits + other.hits, misses=self.misses + other.misses)


def segment_cache_key(fingerprint: str, provider: str, material: np.ndarray | str) -> str:
    """The cache key of a segment: a digest of encoder, provider and material; the same in training and serving.

    A waveform is hashed as float32 samples, which represent its 16-bit samples exactly. The provider is part of the
    key, so that the provenance of a result names the provider that computed its features.
    """
    if isinstance(material, str):
        return cache_key(CACHE_VERSION, fingerprint.encode(), provider.encode(), b"text", material.encode("utf-8"))
    samples = np.ascontiguousarray(material, dtype=_STORED)
    return cache_key(CACHE_VERSION, fingerprint.encode(), provider.encode(), b"waveform", samples.tobytes())


class CachedEncoder(Generic[Material]):
    """Looks up each segment, encodes the missing segments in one call, and stores their vectors."""

    def __init__(self, encoder: Encoder[Material], cache: SegmentCache) -> None:
        self._encoder = encoder
        self._cache = cache
        self._counts = CacheCounts()
        self._lock = Lock()

    @property
    def description(self) -> EncoderDescription:
        """The description of the exported encoder."""
        return self._encoder.description

    @property
    def fingerprint(self) -> str:
        """Digest of graph, description and tokenizer."""
        return self._encoder.fingerprint

    @property
    def provider(self) -> str:
        """The ONNX Runtime execution provider in use."""
        return self._encoder.provider

    @property
    def counts(self) -> CacheCounts:
        """Hits and misses since the encoder was made."""
        return self._counts

    def encode(
        self, material: Sequence[Material], *, cancellation: Cancellation | None = None
    ) -> Float32[np.ndarray, "segment dim"]:
        """Encode segments, in order; equal segments are encoded once. Raises EncodingCancelled on cancellation."""
        keys = [segment_cache_key(self.fingerprint, self.provider, segment) for segment in material]
        known = {key: vector for key, kept in self._cache.get(keys).items() if (vector := self._read(kept)) is not None}
        missing = {key: segment for key, segment in zip(keys, material, strict=True) if key not in known}
        if missing:
            encoded = self._encoder.encode(list(missing.values()), cancellation=cancellation)
            made = dict(zip(missing, encoded, strict=True))
            self._cache.put({key: vector.astype(_STORED).tobytes() for key, vector in made.items()})
            known |= made
        # Stages in several threads share the encoder, and `+=` on an attribute is not atomic.
        with self._lock:
            self._counts += CacheCounts(hits=len(keys) - len(missing), misses=len(missing))
        dim = self.description.dim
        return np.stack([known[key] for key in keys]) if keys else np.zeros((0, dim), dtype=np.float32)

    def close(self) -> None:
        """Close the encoder but not the cache; may be called again."""
        self._encoder.close()

    def _read(self, kept: bytes) -> np.ndarray | None:
        vector = np.frombuffer(kept, dtype=_STORED).astype(np.float32)
        return vector if vector.shape == (self.description.dim,) else None
