"""Segment features: one vector per segment and modality, computed from chunks of segments."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Int16, Int64
from safetensors.numpy import load, save

from model.encoders.cancellation import Cancellation
from model.encoders.encoder import Encoder, Waveform
from model.recording.recording import Recording
from model.segments.cutting import segment_audio
from model.segments.level import Levelling
from model.segments.segment import Segment, Segmentation

FULL_SCALE = 32768.0
# A chunk is the unit of work of the encode stage: a killed worker loses one chunk. 16 segments are at most 15 MB.
CHUNK_SEGMENTS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentMaterial:
    """Encoder inputs of one segment: samples (empty without audio) and text (empty without text)."""

    index: int
    time: float  # seconds, middle of the segment
    samples: Int16[np.ndarray, " sample"]
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentChunk:
    """Some segments of one recording: the unit of work of the encode stage."""

    segments: tuple[SegmentMaterial, ...]

    def to_bytes(self) -> bytes:
        """Serialise for the object store, as safetensors: reading it back runs no code."""
        # `concatenate` refuses an empty list.
        empty = [np.zeros(0, dtype=np.int16)]
        # safetensors holds arrays only, so the texts are stored as bytes of JSON.
        words = np.frombuffer(json.dumps([segment.text for segment in self.segments]).encode(), dtype=np.uint8)
        packed: bytes = save(
            {
                "samples": np.concatenate([segment.samples for segment in self.segments] or empty),
                "lengths": np.array([len(segment.samples) for segment in self.segments], dtype=np.int64),
                "indices": np.array([segment.index for segment in self.segments], dtype=np.int64),
                "times": np.array([segment.time for segment in self.segments], dtype=np.float64),
                "words": words,
            }
        )
        return packed

    @classmethod
    def from_bytes(cls, content: bytes) -> SegmentChunk:
        """Read the bytes of `to_bytes`."""
        tensors = load(content)
        ends = np.cumsum(tensors["lengths"])
        return cls(
            segments=tuple(
                SegmentMaterial(
                    index=int(index), time=float(time), samples=tensors["samples"][end - length : end], text=text
                )
                for index, time, length, end, text in zip(
                    tensors["indices"],
                    tensors["times"],
                    tensors["lengths"],
                    ends,
                    json.loads(tensors["words"].tobytes()),
                    strict=True,
                )
            )
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentFeatures:
    """Features of some segments; rows whose mask is false are zero and are not read."""

    indices: Int64[np.ndarray, " segment"]
    times: Float32[np.ndarray, " segment"]
    audio: Float32[np.ndarray, "segment audio_dim"]
    text: Float32[np.ndarray, "segment text_dim"]
    audio_mask: Bool[np.ndarray, " segment"]
    text_mask: Bool[np.ndarray, " segment"]

    def to_bytes(self) -> bytes:
        """Serialise for the object store, as safetensors."""
        packed: bytes = save(
            {
                "indices": self.indices,
                "times": self.times,
                "audio": self.audio,
                "text": self.text,
                "audio_mask": self.audio_mask,
                "text_mask": self.text_mask,
            }
        )
        return packed

    @classmethod
    def from_bytes(cls, content: bytes) -> SegmentFeatures:
        """Read the bytes of `to_bytes`."""
        return cls(**load(content))


def chunks(recording: Recording, segmentation: Segmentation) -> Iterator[SegmentChunk]:
    """Encoder inputs of a recording's segments, read from its scratch file one chunk at a time.

    See docs/method.md (F5).
    """
    segments = segmentation.segments
    for first in range(0, len(segments), CHUNK_SEGMENTS):
        members = segments[first : first + CHUNK_SEGMENTS]
        yield SegmentChunk(segments=tuple(_material(recording, member, segmentation.levelling) for member in members))


def encode_segments(
    chunk: SegmentChunk,
    *,
    speech: Encoder[Waveform],
    text: Encoder[str],
    cancellation: Cancellation | None = None,
) -> SegmentFeatures:
    """Run the speech encoder over segments with audio and the language encoder over segments with text.

    Raises EncodingCancelled.
    """
    segments = chunk.segments
    audio_mask = np.array([len(segment.samples) > 0 for segment in segments], dtype=np.bool_)
    text_mask = np.array([bool(segment.text.strip()) for segment in segments], dtype=np.bool_)
    audio_features = np.zeros((len(segments), speech.description.dim), dtype=np.float32)
    text_features = np.zeros((len(segments), text.description.dim), dtype=np.float32)
    if audio_mask.any():
        waveforms = [s.samples.astype(np.float32) / FULL_SCALE for s in segments if len(s.samples)]
        audio_features[audio_mask] = speech.encode(waveforms, cancellation=cancellation)
    if text_mask.any():
        texts = [s.text for s in segments if s.text.strip()]
        text_features[text_mask] = text.encode(texts, cancellation=cancellation)
    return SegmentFeatures(
        indices=np.array([segment.index for segment in segments], dtype=np.int64),
        times=np.array([segment.time for segment in segments], dtype=np.float32),
        audio=audio_features,
        text=text_features,
        audio_mask=audio_mask,
        text_mask=text_mask,
    )


def join(parts: Sequence[SegmentFeatures]) -> SegmentFeatures:
    """Concatenate the features of all chunks of a recording, in the order of the segments."""
    # Chunks may come in any order.
    order = np.argsort(np.concatenate([part.indices for part in parts]), kind="stable")
    return SegmentFeatures(
        indices=np.concatenate([part.indices for part in parts])[order],
        times=np.concatenate([part.times for part in parts])[order],
        audio=np.concatenate([part.audio for part in parts])[order],
        text=np.concatenate([part.text for part in parts])[order],
        audio_mask=np.concatenate([part.audio_mask for part in parts])[order],
        text_mask=np.concatenate([part.text_mask for part in parts])[order],
    )


def _material(recording: Recording, member: Segment, levelling: Levelling) -> SegmentMaterial:
    samples = np.zeros(0, dtype=np.int16)
    if recording.audio is not None:
        levelled = segment_audio(recording.audio, member, levelling)
        # 1.0 would be 32768, one more than int16 holds.
        samples = np.clip(np.round(levelled * FULL_SCALE), -FULL_SCALE, FULL_SCALE - 1).astype(np.int16)
    return SegmentMaterial(index=member.index, time=(member.start + member.end) / 2, samples=samples, text=member.text)
