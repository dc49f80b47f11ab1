"""Network input: a batch of documents, one row of segments per document and modality."""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Bool, Float
from torch import Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentBatch:
    """Segment features of several documents, padded to the longest.

    Values at positions whose mask is false are not read. A modality that is not present is missing, whatever its mask
    contains.
    """

    audio_features: Float[Tensor, "document audio_segment audio_dim"]
    text_features: Float[Tensor, "document text_segment text_dim"]
    audio_mask: Bool[Tensor, "document audio_segment"]
    text_mask: Bool[Tensor, "document text_segment"]
    audio_times: Float[Tensor, "document audio_segment"]  # seconds, middle of the segment
    text_times: Float[Tensor, "document text_segment"]
    audio_present: Bool[Tensor, " document"]
    text_present: Bool[Tensor, " document"]
