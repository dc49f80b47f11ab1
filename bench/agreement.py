"""How far an answer moves when it should not: another file format, other company, padding, another order.

The example recording, through the pipeline with the demonstration bundle. Bars of the first milestone: formats agree
on the top outcome and within 0.02; company, padding and order change nothing beyond 1e-6.
"""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
from rich.console import Console
from rich.table import Table

from model.features import SegmentChunk, SegmentFeatures, join
from model.pipeline import Pipeline

EXAMPLES = Path("examples")
TASK = "spectrum"
FORMATS = {
    "wav": ("wav", "pcm_s16le"),
    "mp3": ("mp3", "libmp3lame"),
    "opus": ("ogg", "libopus"),
    "m4a": ("ipod", "aac"),
}


def main() -> None:
    """Print both tables."""
    pipeline = Pipeline.open(EXAMPLES / "bundle")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        formats(pipeline, folder)
        invariance(pipeline, folder)


def formats(pipeline: Pipeline, folder: Path) -> None:
    """The same recording in other formats (lossy ones at 64 kbit/s)."""
    reference = risks(pipeline, EXAMPLES / "interview.flac", folder)
    table = Table("format", "top outcome agrees", "largest difference of a probability")
    for name in FORMATS:
        predicted = risks(pipeline, encode(folder, name), folder)
        agrees = "yes" if predicted.argmax() == reference.argmax() else "NO"
        table.add_row(name, agrees, f"{np.abs(predicted - reference).max():.4f}")
    Console().print(table)


def invariance(pipeline: Pipeline, folder: Path) -> None:
    """The same segments encoded alone, in other company, and scored padded or in another order."""
    prepared = pipeline.prepare(
        audio=EXAMPLES / "interview.flac", transcript=(EXAMPLES / "interview.vtt").read_bytes(), scratch=folder
    )
    (chunk,) = prepared.chunks()
    document = pipeline.encode(chunk)
    alone = join([pipeline.encode(SegmentChunk(segments=(segment,))) for segment in chunk.segments])
    company = SegmentChunk(
        segments=(*(replace(segment, index=segment.index + 100) for segment in chunk.segments[::-1]), *chunk.segments)
    )
    beside = pick(pipeline.encode(company), slice(len(chunk.segments), None))
    order = np.random.default_rng(0).permutation(len(document.indices))
    table = Table("the same segments", "largest difference of a probability")
    reference = pipeline.scorer.risks([document], TASK)[0]
    for name, features in {
        "encoded again": pipeline.encode(chunk),
        "encoded one by one": alone,
        "encoded beside as many others": beside,
        "in another order": pick(document, order),
        "padded with 20 masked segments": pad(document, 20),
    }.items():
        table.add_row(name, f"{np.abs(pipeline.scorer.risks([features], TASK)[0] - reference).max():.1e}")
    Console().print(table)


def risks(pipeline: Pipeline, audio: Path, folder: Path) -> np.ndarray:
    """The probabilities of the example with this audio."""
    transcript = (EXAMPLES / "interview.vtt").read_bytes()
    result = pipeline.assess(audio=audio, transcript=transcript, scratch=folder, task=TASK)
    return np.array([outcome.probability for outcome in result.probabilities])


def encode(folder: Path, name: str) -> Path:
    """The example in another format."""
    container, codec = FORMATS[name]
    target = folder / f"interview.{name}"
    with av.open(str(EXAMPLES / "interview.flac")) as source, av.open(str(target), "w", format=container) as output:
        stream = output.add_stream(codec, rate=48_000 if name == "opus" else 16_000, layout="mono")
        if name != "wav":
            stream.bit_rate = 64_000
        context = stream.codec_context
        resampler = av.AudioResampler(
            format=context.format, layout="mono", rate=context.rate, frame_size=context.frame_size
        )
        for frame in (*source.decode(audio=0), None):
            for part in resampler.resample(frame):
                output.mux(stream.encode(part))
        output.mux(stream.encode(None))
    return target


def pick(features: SegmentFeatures, rows: slice | np.ndarray) -> SegmentFeatures:
    """Some rows of the features."""
    return SegmentFeatures(**{name: getattr(features, name)[rows] for name in SegmentFeatures.__dataclass_fields__})


def pad(features: SegmentFeatures, segments: int) -> SegmentFeatures:
    """The features with masked rows of noise behind them."""
    padded = pick(features, np.arange(len(features.indices) + segments) % len(features.indices))
    behind = np.arange(len(padded.indices)) >= len(features.indices)
    return replace(padded, audio_mask=padded.audio_mask & ~behind, text_mask=padded.text_mask & ~behind)


if __name__ == "__main__":
    main()
