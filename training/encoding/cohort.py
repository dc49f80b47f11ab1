"""Segment features of a cohort, encoded once and kept on disk."""

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
from model.errors import BundleInvalid, RecordingError, TranscriptUnreadable
from model.features import SegmentFeatures, chunks, encode_segments, join
from model.recording.reading import read_recording
from model.recording.recording import Recording
from model.segments.cutting import segment
from model.segments.segment import Segmentation
from training.cohort.cohort import RECORDING, TRANSCRIPT, Cohort
from training.cohort.problems import CohortEncodingError, CohortProblem
from training.encoding.encoded_recording import EncodedRecording
from training.encoding.progress import track_recordings

CACHE_VERSION = b"1"
"""Counts up whenever the way from a file to its features changes, so that nothing made the old way is met again."""
SEGMENTS = "segments.sqlite"


@dataclass(frozen=True, slots=True, kw_only=True)
class EncoderPair:
    """A speech and a language encoder."""

    speech: Encoder[Waveform]
    text: Encoder[str]


def open_encoders(folder: Path, options: RuntimeOptions) -> EncoderPair:
    """Open the encoders in `folder/speech` and `folder/text`; raises BundleInvalid where one is not there."""
    for name in (SPEECH, TEXT):
        if not (folder / name / DESCRIPTION).exists():
            raise BundleInvalid(
                f"there is no encoder in {name}", advice="Export one with `hilbert-train export-encoder`."
            )
    return EncoderPair(speech=SpeechEncoder(folder / SPEECH, options), text=TextEncoder(folder / TEXT, options))


def precompute(
    cohort: Cohort, *, store: Path, encoders: EncoderPair, settings: SegmentSettings, console: Console
) -> tuple[EncodedRecording, ...]:
    """Every row's recording, encoded, in the order of the cohort; what is kept in `store` is not made again.

    It may be stopped at any time, and run by several processes at once. Raises CohortEncodingError with all recordings
    that cannot be decoded or parsed, once the others are done.
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
    """Encodes recordings, each once.

    What is kept is named by all that decides it, so that a change of encoder, of the way recordings are cut or of
    the recording itself never meets stale features. Below whole recordings the vectors of segments are kept too: where
    only one of the encoders changed, or a few words of a transcript, the rest is not encoded again.
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
        """The recording of a row; raises RecordingError or OSError when it cannot be used."""
        audio, transcript = cohort.audio(position), cohort.transcript(position)
        key = cache_key(*self.parts, _digest(audio), _digest(transcript))
        kept = self.cache.get(key)
        if kept is not None:
            return EncodedRecording.from_bytes(kept, row=position)
        made = self._make(audio, transcript, position)
        self.cache.put(key, made.to_bytes())
        return made

    def close(self) -> None:
        """Close the file of vectors."""
        self.vectors.close()

    def _make(self, audio: Path | None, transcript: Path | None, position: int) -> EncodedRecording:
        words = None if transcript is None else transcript.read_bytes()
        with TemporaryDirectory() as scratch:
            recording = read_recording(audio=audio, transcript=words, scratch=Path(scratch), limits=AudioLimits())
            segmentation = segment(recording, self.settings, self.quality)
            features = None if segmentation.abstains else self._features(recording, segmentation)
        return EncodedRecording(row=position, features=features, quality=segmentation.quality)

    def _features(self, recording: Recording, segmentation: Segmentation) -> SegmentFeatures:
        speech, text = self.encoders.speech, self.encoders.text
        return join([encode_segments(chunk, speech=speech, text=text) for chunk in chunks(recording, segmentation)])


def _digest(file: Path | None) -> bytes:
    """Of a file's content; empty where there is no file."""
    if file is None:
        return b""
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").digest()


def _problem(cohort: Cohort, position: int, error: RecordingError | OSError) -> CohortProblem:
    row = cohort.rows[position]
    if not isinstance(error, RecordingError):
        detail, advice = "a file cannot be opened", "check that it is there and that you may read it"
        return CohortProblem(line=row.line, column=None, detail=detail, advice=advice)
    column = TRANSCRIPT if isinstance(error, TranscriptUnreadable) else RECORDING
    return CohortProblem(line=row.line, column=column, detail=error.detail.rstrip("."), advice=error.advice)
