"""Cut a bundle's golden recording out of an ordinary one, and record how the bundle answers it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from model.bundle.manifest import Manifest
from model.features import SegmentChunk, SegmentMaterial, chunks
from model.recording.reading import read_recording
from model.segments.cutting import segment

SAMPLE_RATE = 16_000
# Three lengths, so that padding to different buckets is exercised; together 672 kB, and under a second to encode.
SECONDS = (10.0, 7.0, 4.0)


class GoldenUnusableError(ValueError):
    """A recording that no golden recording can be cut from."""


def cut_golden(audio: Path, transcript: Path, manifest: Manifest) -> SegmentChunk:
    """The first, middle and last segment with speech and words, shortened to 10, 7 and 4 seconds.

    They are read and cut as the bundle of this manifest will cut recordings. Raises GoldenUnusableError when no
    segment has both, RecordingError for material that cannot be read.
    """
    with TemporaryDirectory() as scratch:
        recording = read_recording(
            audio=audio, transcript=transcript.read_bytes(), scratch=Path(scratch), limits=manifest.audio
        )
        segmentation = segment(recording, manifest.segments, manifest.quality)
        complete = [
            material for chunk in chunks(recording, segmentation) for material in chunk.segments if _whole(material)
        ]
    if segmentation.abstains or not complete:
        raise GoldenUnusableError("the golden recording has no segment with both speech and words; take another one")
    return SegmentChunk(segments=tuple(_shortened(_spread(complete))))


def _whole(material: SegmentMaterial) -> bool:
    return bool(len(material.samples) and material.text.strip())


def _spread(complete: Sequence[SegmentMaterial]) -> list[SegmentMaterial]:
    last = len(complete) - 1
    return [complete[at] for at in sorted({0, last // 2, last})]


def _shortened(chosen: Sequence[SegmentMaterial]) -> list[SegmentMaterial]:
    lengths = [int(seconds * SAMPLE_RATE) for seconds in SECONDS[: len(chosen)]]
    return [
        replace(material, samples=material.samples[:length].copy())
        for material, length in zip(chosen, lengths, strict=True)
    ]
