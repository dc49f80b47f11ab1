"""Segment features of a cohort, encoded once and kept on disk."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from model.bundle.manifest import SPEECH, TEXT
from model.config import AudioLimits, QualitySettings, SegmentSettings
from model.encoders.encoder import Encoder, Waveform
from model.encoders.runtime import RuntimeOptions
from model.encoders.speech import SpeechEncoder
from model.encoders.text import TextEncoder
from model.features import SegmentFeatures, chunks, encode_segments, join
from model.recording.reading import read_recording
from model.segments.cutting import segment
from training.batches import LabelledDocument
from training.cohort import CohortRow


@dataclass(frozen=True, slots=True, kw_only=True)
class EncoderPair:
    """A speech and a language encoder."""

    speech: Encoder[Waveform]
    text: Encoder[str]


def open_encoders(folder: Path, options: RuntimeOptions) -> EncoderPair:
    """Open the encoders in `folder/speech` and `folder/text`."""
    return EncoderPair(speech=SpeechEncoder(folder / SPEECH, options), text=TextEncoder(folder / TEXT, options))


def precompute(
    rows: Sequence[CohortRow],
    *,
    root: Path,
    store: Path,
    encoders: EncoderPair,
    settings: SegmentSettings,
) -> Iterator[SegmentFeatures]:
    """The features of each row's recording, in order; those kept in `store` are read, the others made and kept.

    A kept file is named by all that decides its content, so that a change of encoder, of the way
    recordings are cut or of the recording itself never meets stale features.
    """
    store.mkdir(parents=True, exist_ok=True)
    for row in rows:
        audio, transcript = root / row.recording, (root / row.transcript).read_bytes()
        kept = store / f"{_key(audio.read_bytes(), transcript, encoders, settings)}.safetensors"
        if not kept.exists():
            features = _features(audio, transcript, encoders, settings)
            partial = kept.with_suffix(".partial")
            partial.write_bytes(features.to_bytes())
            partial.rename(kept)
        yield SegmentFeatures.from_bytes(kept.read_bytes())


def label(
    rows: Sequence[CohortRow], features: Iterator[SegmentFeatures], *, task: str, outcomes: Sequence[str]
) -> Iterator[LabelledDocument]:
    """Put features and labels together."""
    for row, found in zip(rows, features, strict=True):
        yield LabelledDocument(
            person=row.person, family=row.family, features=found, labels={task: outcomes.index(row.outcome)}
        )


def _features(audio: Path, transcript: bytes, encoders: EncoderPair, settings: SegmentSettings) -> SegmentFeatures:
    with TemporaryDirectory() as scratch:
        recording = read_recording(audio=audio, transcript=transcript, scratch=Path(scratch), limits=AudioLimits())
        segmentation = segment(recording, settings, QualitySettings())
        return join(
            [
                encode_segments(chunk, speech=encoders.speech, text=encoders.text)
                for chunk in chunks(recording, segmentation)
            ]
        )


def _key(audio: bytes, transcript: bytes, encoders: EncoderPair, settings: SegmentSettings) -> str:
    parts = (audio, transcript, encoders.speech.fingerprint, encoders.text.fingerprint, settings.model_dump_json())
    digests = [hashlib.sha256(part if isinstance(part, bytes) else part.encode()).digest() for part in parts]
    return hashlib.sha256(b"".join(digests)).hexdigest()
