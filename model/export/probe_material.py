"""Real speech and text for the parity check, segmented as in the pipeline."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from model.config import AudioLimits, QualitySettings, SegmentSettings
from model.encoders.encoder import Waveform
from model.features import FULL_SCALE, chunks
from model.recording.reading import read_recording
from model.segments.cutting import segment

SEGMENTS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeMaterial:
    """Segments of a recording: waveforms at 16 kHz in [-1, 1], and texts; either may be empty."""

    waveforms: tuple[Waveform, ...]
    texts: tuple[str, ...]


def read_material(audio: Path | None, transcript: Path | None, *, segments: int = SEGMENTS) -> ProbeMaterial:
    """The first segments of a recording: speech, text or both.

    Raises RecordingError if a file cannot be read.
    """
    words = None if transcript is None else transcript.read_bytes()
    with TemporaryDirectory() as scratch:
        recording = read_recording(audio=audio, transcript=words, scratch=Path(scratch), limits=AudioLimits())
        cut = segment(recording, SegmentSettings(), QualitySettings())
        materials = [material for chunk in chunks(recording, cut) for material in chunk.segments][:segments]
    return ProbeMaterial(
        waveforms=tuple(
            material.samples.astype(np.float32) / np.float32(FULL_SCALE)
            for material in materials
            if len(material.samples)
        ),
        texts=tuple(material.text for material in materials if material.text.strip()),
    )
