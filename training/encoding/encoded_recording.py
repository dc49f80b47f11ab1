"""An encoded recording: its features and its quality."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from pydantic import TypeAdapter
from safetensors.numpy import load, save

from model.features import SegmentFeatures
from model.segments.quality import RecordingFlag, RecordingQuality

_QUALITY = TypeAdapter(RecordingQuality)


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodedRecording:
    """The encoded recording of a row of a cohort; features are None when the recording fails the quality gate."""

    row: int
    features: SegmentFeatures | None
    quality: RecordingQuality

    @property
    def seconds(self) -> float:
        """Duration in seconds: of the audio, or up to the last word of a transcript without audio."""
        return self.quality.duration_seconds

    @property
    def speech_seconds(self) -> float:
        """Seconds of speech in the segments; 0 without audio."""
        return self.quality.speech_seconds

    @property
    def snr(self) -> float | None:
        """Signal-to-noise ratio in dB: speech over pauses; None without audio or without pauses."""
        return self.quality.snr_db

    @property
    def flags(self) -> tuple[RecordingFlag, ...]:
        """The quality flags."""
        return self.quality.flags

    @property
    def abstains(self) -> bool:
        """Whether a hard flag excludes the recording from training and evaluation."""
        return any(flag.hard for flag in self.flags)

    def to_bytes(self) -> bytes:
        """Serialise for the feature cache, without the row, which differs between cohorts."""
        # safetensors holds arrays only, so JSON is stored as bytes.
        parts = {"quality": np.frombuffer(_QUALITY.dump_json(self.quality), dtype=np.uint8)}
        if self.features is not None:
            parts["features"] = np.frombuffer(self.features.to_bytes(), dtype=np.uint8)
        packed: bytes = save(parts)
        return packed

    @classmethod
    def from_bytes(cls, content: bytes, *, row: int) -> EncodedRecording:
        """Read the output of `to_bytes`."""
        parts = load(content)
        features = parts.get("features")
        return cls(
            row=row,
            features=None if features is None else SegmentFeatures.from_bytes(features.tobytes()),
            quality=_QUALITY.validate_json(parts["quality"].tobytes()),
        )
