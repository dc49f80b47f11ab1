"""What is known of a recording once it is encoded: its features, and what an evaluation reports beside a score."""

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
    """The recording of a row, by its position in the cohort; features are None where the quality gate abstains."""

    row: int
    features: SegmentFeatures | None
    quality: RecordingQuality

    @property
    def seconds(self) -> float:
        """Duration: of the audio, or up to the last word of a transcript alone."""
        return self.quality.duration_seconds

    @property
    def speech_seconds(self) -> float:
        """Seconds of speech that the features are made of; 0 without audio."""
        return self.quality.speech_seconds

    @property
    def snr(self) -> float | None:
        """Speech over pauses in dB; None without audio, or without pauses."""
        return self.quality.snr_db

    @property
    def flags(self) -> tuple[RecordingFlag, ...]:
        """The quality flags, as in an assessment."""
        return self.quality.flags

    @property
    def abstains(self) -> bool:
        """Whether a hard flag forbids a score: such a recording is counted, never trained on nor evaluated."""
        return any(flag.hard for flag in self.flags)

    def to_bytes(self) -> bytes:
        """Pack for the feature cache, without the position, which another cohort may not share."""
        parts = {"quality": np.frombuffer(_QUALITY.dump_json(self.quality), dtype=np.uint8)}
        if self.features is not None:
            parts["features"] = np.frombuffer(self.features.to_bytes(), dtype=np.uint8)
        packed: bytes = save(parts)
        return packed

    @classmethod
    def from_bytes(cls, content: bytes, *, row: int) -> EncodedRecording:
        """Unpack what `to_bytes` packed."""
        parts = load(content)
        features = parts.get("features")
        return cls(
            row=row,
            features=None if features is None else SegmentFeatures.from_bytes(features.tobytes()),
            quality=_QUALITY.validate_json(parts["quality"].tobytes()),
        )
