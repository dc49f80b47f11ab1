"""Cut the golden recording of a bundle from an ordinary recording."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from model.bundle.manifest import Manifest
from model.features import SegmentChunk, SegmentMaterial, chunks
from model.recording.reading import read_recording
from model.segments.cutting import segment
from training.errors import GoldenUnusableError

SAMPLE_RATE = 16_000
# Three lengths, so that several padding buckets are exercised; together 672 kB, and under a second to encode.
SECONDS = (10.0, 7.0, 4.0)


def cut_golden(audio: Path, transcript: Path, manifest: Manifest) -> SegmentChunk:
    """The first, middle and last segment with speech and words, shortened to 10, 7 and 4 seconds.

    The recording is decoded and segmented with the settings of the manifest. Raises GoldenUnusableError when no segment
    has both speech and words, RecordingError when a file cannot be read.
    """
    with TemporaryDirectory() as scratch:
        recording = read_recording(
            audio=audio, transcript=transcript.read_bytes(), scratch=Path(scratch), limits=manifest.audio
        )
        segmentation = segment(recording, manifest.segments, manifest.quality)
        complete = [
            material for chunk in chunks(recording, segmentation) for material in chunk.segments if _has_both(material)
        ]
    if segmentation.abstains or not complete:
        raise GoldenUnusableError(
            "the golden recording has no segment with both speech and words; use another recording"
        )
    return SegmentChunk(segments=tuple(_shortened(_spread(complete))))


def _has_both(material: SegmentMaterial) -> bool:
    return bool(len(material.samples) and material.text.strip())


def _spread(complete: Sequence[SegmentMaterial]) -> list[SegmentMaterial]:
    last = len(complete) - 1
    # A set, because of one or two segments the middle one is also the first.
    return [complete[at] for at in sorted({0, last // 2, last})]


def _shortened(chosen: Sequence[SegmentMaterial]) -> list[SegmentMaterial]:
    lengths = [int(seconds * SAMPLE_RATE) for seconds in SECONDS[: len(chosen)]]
    return [
        replace(material, samples=material.samples[:length].copy())
        for material, length in zip(chosen, lengths, strict=True)
    ]
