"""Encode the recordings of a cohort into segment features, with a cache on disk."""

from __future__ import annotations

import hashlib
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console

from model.bundle.manifest import SPEECH, TEXT
from model.cache.cached_encoder import CachedEncoder
from model.cache.feature_cache import FeatureCache, cache_key
from model.cache.segment_cache import SegmentCache
from model.config import AudioLimits, QualitySettings, SegmentSettings
from model.encoders.description import DESCRIPTION
from model.encoders.encoder import Encoder, Waveform
from model.encoders.runtime import RuntimeOptions
from model.encoders.speech import SpeechEncoder
from model.encoders.text import TextEncoder
from model.errors import BundleInvalid, RecordingError, TranscriptTooLong, TranscriptUnreadable
from model.features import SegmentFeatures, chunks, encode_segments, join
from model.recording.options import NO_OPTIONS, RecordingOptions
from model.recording.reading import read_recording
from model.recording.recording import Recording
from model.segments.cutting import segment
from model.segments.segment import Segmentation
from training.cohort.cohort import RECORDING, TRANSCRIPT, Cohort
from training.encoding.encoded_recording import EncodedRecording
from training.encoding.progress import track_recordings
from training.errors import CohortEncodingError, CohortProblem

CACHE_VERSION = b"1"
"""Part of every cache key. Increase it when decoding or segmentation changes, so that old entries are not used."""
SEGMENTS = "segments.sqlite"


@dataclass(frozen=True, slots=True, kw_only=True)
class EncoderPair:
    """A speech encoder and a text encoder."""

    speech: Encoder[Waveform]
    text: Encoder[str]


def open_encoders(folder: Path, options: RuntimeOptions) -> EncoderPair:
    """Open the encoders in `folder/speech` and `folder/text`; raises BundleInvalid when one is missing."""
    for name in (SPEECH, TEXT):
        if not (folder / name / DESCRIPTION).exists():
            raise BundleInvalid(
                f"there is no encoder in {name}", advice="Export one with `hilbert-train export-encoder`."
            )
    return EncoderPair(speech=SpeechEncoder(folder / SPEECH, options), text=TextEncoder(folder / TEXT, options))


def precompute(
    cohort: Cohort, *, store: Path, encoders: EncoderPair, settings: SegmentSettings, console: Console
) -> tuple[EncodedRecording, ...]:
    """Encode every recording of a cohort, in order; recordings in the cache `store` are read from it.

    It can be interrupted at any time and run by several processes at once. After all other recordings are encoded,
    raises CohortEncodingError with all recordings that cannot be decoded or parsed.
    """
    encoded: list[EncodedRecording] = []
    problems: list[CohortProblem] = []
    with closing(CohortEncoder(FeatureCache(store), encoders, settings)) as encoding:
        for position in track_recordings(range(len(cohort)), len(cohort), console):
            try:
                encoded.append(encoding.encode(cohort, position))
            except (RecordingError, OSError) as error:
                problems.append(_problem(cohort, position, error))
    if problems:
        raise CohortEncodingError(problems)
    return tuple(encoded)


class CohortEncoder:
    """Encodes recordings with two caches: whole recordings, and the feature vectors of single segments.

    A cache key is a digest of everything that determines the features: encoders, segmentation settings and files. A
    changed input therefore never yields stale features. The cache of segments avoids re-encoding the unchanged rest
    when only one encoder or a few words of a transcript changed.
    """

    def __init__(self, cache: FeatureCache, encoders: EncoderPair, settings: SegmentSettings) -> None:
        self.cache = cache
        self.vectors = SegmentCache(cache.folder / SEGMENTS)
        self.encoders = EncoderPair(
            speech=CachedEncoder(encoders.speech, self.vectors), text=CachedEncoder(encoders.text, self.vectors)
        )
        self.settings = settings
        self.quality = QualitySettings()
        self.parts = (
            CACHE_VERSION,
            encoders.speech.fingerprint.encode(),
            encoders.text.fingerprint.encode(),
            settings.model_dump_json().encode(),
            self.quality.model_dump_json().encode(),
        )

    def encode(self, cohort: Cohort, position: int) -> EncodedRecording:
        """Encode the recording of a row; raises RecordingError or OSError when it is unusable."""
        audio, transcript = cohort.audio(position), cohort.transcript(position)
        options = cohort.rows[position].options
        named = b"" if options == NO_OPTIONS else repr(options).encode()
        key = cache_key(*self.parts, _digest(audio), _digest(transcript), named)
        cached = self.cache.get(key)
        if cached is not None:
            return EncodedRecording.from_bytes(cached, row=position)
        recording = self._encode(audio, transcript, options, position)
        self.cache.put(key, recording.to_bytes())
        return recording

    def close(self) -> None:
        """Close the cache of segments."""
        self.vectors.close()

    def _encode(
        self, audio: Path | None, transcript: Path | None, options: RecordingOptions, position: int
    ) -> EncodedRecording:
        words = None if transcript is None else transcript.read_bytes()
        with TemporaryDirectory() as scratch:
            recording = read_recording(
                audio=audio,
                transcript=words,
                scratch=Path(scratch),
                limits=AudioLimits(),
                options=options,
            )
            segmentation = segment(recording, self.settings, self.quality, options)
            features = None if segmentation.abstains else self._features(recording, segmentation)
        return EncodedRecording(row=position, features=features, quality=segmentation.quality)

    def _features(self, recording: Recording, segmentation: Segmentation) -> SegmentFeatures:
        speech, text = self.encoders.speech, self.encoders.text
        return join([encode_segments(chunk, speech=speech, text=text) for chunk in chunks(recording, segmentation)])


def _digest(file: Path | None) -> bytes:
    """sha256 of the content of a file; empty without a file."""
    if file is None:
        return b""
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").digest()


def _problem(cohort: Cohort, position: int, error: RecordingError | OSError) -> CohortProblem:
    row = cohort.rows[position]
    if not isinstance(error, RecordingError):
        detail, advice = "a file cannot be opened", "check that it exists and that you may read it"
        return CohortProblem(line=row.line, column=None, detail=detail, advice=advice)
    column = TRANSCRIPT if isinstance(error, (TranscriptUnreadable, TranscriptTooLong)) else RECORDING
    return CohortProblem(line=row.line, column=column, detail=error.detail.rstrip("."), advice=error.advice)
