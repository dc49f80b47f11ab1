"""The pipeline from a recording to its scoring result. `Pipeline.assess` runs all three stages: read it first.

The service runs the stages prepare, encode and score on separate queues. They pass on `Document` (the segments and the
recording's quality), `SegmentChunk` and `SegmentFeatures`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from threading import Lock
from types import TracebackType

import numpy as np
from pydantic import TypeAdapter

from model.bundle.bundle import Bundle, open_bundle
from model.bundle.golden import read_golden
from model.bundle.manifest import SPEECH, TEXT, Manifest
from model.bundle.signature import Trust
from model.cache.cached_encoder import CacheCounts, CachedEncoder
from model.cache.segment_cache import SegmentCache
from model.encoders.batching_statistics import BatchingStatistics
from model.encoders.cancellation import Cancellation
from model.encoders.encoder import Encoder, Waveform
from model.encoders.runtime import RuntimeOptions
from model.errors import BundleInvalid, EncoderClosed
from model.explanation import ModalityContributions, SegmentEffects, contributions, segment_effects
from model.features import SegmentChunk, SegmentFeatures, chunks, encode_segments, join
from model.provenance import ModelProvenance, provenance_of
from model.recording.audio import never_cancelled
from model.recording.options import NO_OPTIONS, RecordingOptions
from model.recording.reading import read_recording
from model.recording.recording import Recording
from model.recording_input import RecordingInput, describe_input
from model.scoring import Probabilities, Scorer
from model.segments.cutting import segment
from model.segments.quality import RecordingQuality
from model.segments.segment import Segment, Segmentation
from model.self_test import Deviation, LoadedGraphs, open_graphs, run_self_test

SHOWN_SEGMENTS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A prepared recording without its samples: small enough to be stored with the features."""

    bundle_digest: str
    segmentation: Segmentation
    input: RecordingInput | None = None  # absent from documents that an earlier release has prepared

    @property
    def abstains(self) -> bool:
        """Whether a hard quality flag forbids a score."""
        return self.segmentation.abstains

    def to_json(self) -> bytes:
        """Serialise as JSON."""
        return _DOCUMENT.dump_json(self)

    @classmethod
    def from_json(cls, content: bytes) -> Document:
        """Read the JSON of `to_json`."""
        return _DOCUMENT.validate_json(content)


_DOCUMENT = TypeAdapter(Document)


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A recording cut into segments; its samples stay in the scratch file until they are read."""

    document: Document
    recording: Recording

    def chunks(self) -> Iterator[SegmentChunk]:
        """The encoder inputs of the segments, one chunk in memory at a time; none for an abstention."""
        if not self.document.abstains:
            yield from chunks(self.recording, self.document.segmentation)


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeRisk:
    """One outcome with its calibrated probability."""

    outcome: str
    probability: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RankedSegment:
    """A segment and the change of the reported outcome's log-odds when its audio or text is withheld."""

    index: int
    start: float
    end: float
    text: str
    audio_effect: float
    text_effect: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoringResult:
    """A score with its explanation, or an abstention (`outcome` is None, and there are no numbers)."""

    task: str
    outcome: str | None
    probabilities: tuple[OutcomeRisk, ...]
    contributions: ModalityContributions | None
    segments: tuple[RankedSegment, ...]
    quality: RecordingQuality
    model: ModelProvenance
    input: RecordingInput | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedGraphs:
    """Graphs that passed the self-test, and the (cached) encoders of assessments."""

    graphs: LoadedGraphs
    deviation: Deviation
    speech: Encoder[Waveform]
    text: Encoder[str]


class Pipeline:
    """One bundle, ready to assess recordings.

    The first use loads the graphs, once per process, and runs the self-test on the golden recording. A bundle that
    fails it on this machine encodes and scores nothing. Thread-safe. Use it as a context manager, or close it: its
    encoders own threads.
    """

    def __init__(self, bundle: Bundle, options: RuntimeOptions, cache: SegmentCache | None = None) -> None:
        self.bundle = bundle
        self._options = options
        self._cache = cache
        self._loading = Lock()
        self._loaded: CheckedGraphs | None = None
        self._closed = False

    def __enter__(self) -> Pipeline:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @classmethod
    def open(cls, folder: Path, *, threads: int = 2, trust: Trust | None = None) -> Pipeline:
        """Open a bundle for the CPU after verifying its signature and digests; raises BundleError."""
        return cls(open_bundle(folder, trust), RuntimeOptions(threads=threads))

    def assess(
        self,
        *,
        audio: Path | None,
        transcript: bytes | None,
        scratch: Path,
        task: str,
        options: RecordingOptions = NO_OPTIONS,
    ) -> ScoringResult:
        """Assess one recording; raises RecordingError for unusable input, TaskNotInBundle."""
        prepared = self.prepare(audio=audio, transcript=transcript, scratch=scratch, options=options)
        features = [self.encode(chunk) for chunk in prepared.chunks()]
        return self.score(prepared.document, features, task)

    def prepare(
        self,
        *,
        audio: Path | None,
        transcript: bytes | None,
        scratch: Path,
        options: RecordingOptions = NO_OPTIONS,
        check: Callable[[], None] = never_cancelled,
    ) -> Prepared:
        """Decode, parse and segment; the empty folder `scratch` must outlive the result. Raises RecordingError.

        `check` is called often, also while the chunks are read, and may raise to stop the work.
        """
        recording = read_recording(
            audio=audio,
            transcript=transcript,
            scratch=scratch,
            limits=self.manifest.audio,
            options=options,
            check=check,
        )
        segmentation = segment(recording, self.manifest.segments, self.manifest.quality, options)
        return Prepared(
            document=Document(
                bundle_digest=self.bundle.digest,
                segmentation=segmentation,
                input=describe_input(recording, segmentation, audio=audio, transcript=transcript),
            ),
            recording=recording,
        )

    def encode(self, chunk: SegmentChunk, cancellation: Cancellation | None = None) -> SegmentFeatures:
        """Features of a chunk: from the cache, or from the frozen encoders.

        Segments of all threads share batches. Raises EncodingCancelled as soon as the cancellation fires.
        """
        loaded = self._checked()
        return encode_segments(chunk, speech=loaded.speech, text=loaded.text, cancellation=cancellation)

    def score(self, document: Document, features: Sequence[SegmentFeatures], task: str) -> ScoringResult:
        """Score a document from the features of all its chunks, in any order.

        Raises TaskNotInBundle, and BundleInvalid if the document was prepared for another bundle.

        See docs/method.md (C8).
        """
        known = self.bundle.task(task)
        if document.bundle_digest != self.bundle.digest:
            raise BundleInvalid("the recording was prepared for another bundle", advice="Submit the recording again.")
        if document.abstains:
            return self._result(document, known.name)
        joined = join(features)
        risks = self.scorer.score(joined, known.name)
        return self._result(
            document,
            known.name,
            risks=risks,
            contributions=contributions(self.scorer, joined, task=known.name, outcome=risks.top),
            effects=segment_effects(self.scorer, joined, task=known.name, outcome=risks.top),
        )

    def warm_up(self) -> Deviation:
        """Load every graph, warm up every input shape where that saves time, and run the self-test; once per process.

        Raises SelfTestFailed if the output differs from that of the release, DeviceUnavailable if the graphs cannot
        run on the configured device.
        """
        return self._checked().deviation

    def close(self) -> None:
        """Stop the encoders' threads and free the memory of the graphs; idempotent.

        Segments that still wait fail with EncoderClosed.
        """
        with self._loading:
            self._closed = True
            loaded, self._loaded = self._loaded, None
        if loaded is not None:
            loaded.graphs.close()
        if self._cache is not None:
            self._cache.close()

    def statistics(self) -> dict[str, BatchingStatistics]:
        """Batching statistics by encoder; empty while no graphs are loaded."""
        if self._loaded is None:
            return {}
        graphs = self._loaded.graphs
        return {SPEECH: graphs.speech.statistics(), TEXT: graphs.text.statistics()}

    @property
    def cache_counts(self) -> CacheCounts | None:
        """Cache hits and misses of segments; None without a cache."""
        loaded = self._loaded
        if loaded is None or not (isinstance(loaded.speech, CachedEncoder) and isinstance(loaded.text, CachedEncoder)):
            return None
        return loaded.speech.counts + loaded.text.counts

    @property
    def manifest(self) -> Manifest:
        """The manifest of the bundle."""
        return self.bundle.manifest

    @cached_property
    def provenance(self) -> ModelProvenance:
        """The model behind the results, and the runtime of its graphs."""
        return provenance_of(self.bundle, self._checked().graphs, self._options)

    @property
    def scorer(self) -> Scorer:
        """The scorer: network graph and calibration."""
        return self._checked().graphs.scorer

    def _checked(self) -> CheckedGraphs:
        with self._loading:
            if self._closed:
                raise EncoderClosed("the pipeline is closed")
            if self._loaded is None:
                self._loaded = self._load()
            return self._loaded

    def _load(self) -> CheckedGraphs:
        graphs = open_graphs(self.bundle, self._options)
        try:
            graphs.warm_up()
            deviation = run_self_test(graphs, read_golden(self.bundle.folder))
        # Also when the start is interrupted, because the encoders own threads.
        except BaseException:
            graphs.close()
            raise
        if self._cache is None:
            return CheckedGraphs(graphs=graphs, deviation=deviation, speech=graphs.speech, text=graphs.text)
        # The cache wraps the encoders after the self-test, so the golden recording is always computed.
        speech = CachedEncoder[Waveform](graphs.speech, self._cache)
        text = CachedEncoder[str](graphs.text, self._cache)
        return CheckedGraphs(graphs=graphs, deviation=deviation, speech=speech, text=text)

    def _result(
        self,
        document: Document,
        task: str,
        *,
        risks: Probabilities | None = None,
        contributions: ModalityContributions | None = None,
        effects: SegmentEffects | None = None,
    ) -> ScoringResult:
        pairs = () if risks is None else tuple(zip(risks.outcomes, risks.values, strict=True))
        return ScoringResult(
            task=task,
            outcome=None if risks is None else risks.outcomes[risks.top],
            probabilities=tuple(OutcomeRisk(outcome=name, probability=float(p)) for name, p in pairs),
            contributions=contributions,
            segments=() if effects is None else _strongest(document.segmentation.segments, effects),
            quality=document.segmentation.quality,
            model=self.provenance,
            input=document.input,
        )


def _strongest(segments: Sequence[Segment], effects: SegmentEffects) -> tuple[RankedSegment, ...]:
    """The segments with the largest effects in either direction, largest first."""
    order = np.argsort(-(np.abs(effects.audio) + np.abs(effects.text)), kind="stable")[:SHOWN_SEGMENTS]
    return tuple(
        RankedSegment(
            index=segments[position].index,
            start=segments[position].start,
            end=segments[position].end,
            text=segments[position].text,
            audio_effect=float(effects.audio[position]),
            text_effect=float(effects.text[position]),
        )
        for position in order
    )
