"""From a recording to its assessment. `Pipeline.assess` is the whole program in a few lines: read it first.

The service runs the same three stages apart, on separate queues; what passes between them is
`Document` (the segments and what is known of their quality), `SegmentChunk` and `SegmentFeatures`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from pydantic import TypeAdapter

from model.behaviour import Deviation, Graphs, check, open_graphs
from model.bundle.bundle import Bundle, open_bundle
from model.bundle.golden import read_golden
from model.bundle.manifest import Manifest
from model.bundle.signature import Trust
from model.cached_encoder import CacheCounts, CachedEncoder
from model.encoders.encoder import Waveform
from model.encoders.runtime import RuntimeOptions
from model.errors import BundleInvalid
from model.explanation import Contributions, SegmentEffects, contributions, segment_effects
from model.features import SegmentChunk, SegmentFeatures, chunks, encode_segments, join
from model.recording.reading import read_recording
from model.recording.recording import Recording
from model.scoring import Probabilities, Scorer
from model.segment_cache import SegmentCache
from model.segments.cutting import segment
from model.segments.quality import Quality
from model.segments.segment import Segment, Segmentation
from model.trace import ModelTrace, trace_of

SHOWN_SEGMENTS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A prepared recording without its samples: small enough to be kept beside the features."""

    bundle_digest: str
    segmentation: Segmentation

    @property
    def abstains(self) -> bool:
        """Whether a hard quality flag forbids a score."""
        return self.segmentation.abstains

    def to_json(self) -> bytes:
        """Write as JSON."""
        return _DOCUMENT.dump_json(self)

    @classmethod
    def from_json(cls, content: bytes) -> Document:
        """Read what `to_json` wrote."""
        return _DOCUMENT.validate_json(content)


_DOCUMENT = TypeAdapter(Document)


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A recording cut into segments; its samples stay in the scratch file until they are read."""

    document: Document
    recording: Recording

    def chunks(self) -> Iterator[SegmentChunk]:
        """The segments' material, one chunk in memory at a time; none for an abstention."""
        if not self.document.abstains:
            yield from chunks(self.recording, self.document.segmentation)


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeProbability:
    """One outcome with its calibrated probability."""

    outcome: str
    probability: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentEffect:
    """How far the log-odds of the reported outcome move when this segment is withheld."""

    index: int
    start: float
    end: float
    text: str
    audio_effect: float
    text_effect: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessment:
    """The answer: a score with its explanation, or (outcome None, no numbers) an abstention."""

    task: str
    outcome: str | None
    probabilities: tuple[OutcomeProbability, ...]
    contributions: Contributions | None
    segments: tuple[SegmentEffect, ...]
    quality: Quality
    model: ModelTrace


class Pipeline:
    """One bundle, ready to assess recordings.

    Graphs are loaded at their first use, once a process, and there is no way to them but past the golden
    recording: nothing is encoded or scored by a bundle that does not behave here as when it was released.
    """

    def __init__(self, bundle: Bundle, options: RuntimeOptions, cache: SegmentCache | None = None) -> None:
        self.bundle = bundle
        self._options = options
        self._cache = cache

    @classmethod
    def open(cls, folder: Path, *, threads: int = 2, trust: Trust | None = None) -> Pipeline:
        """Verify a bundle's signature and digests, to be run on the CPU; raises BundleError."""
        return cls(open_bundle(folder, trust), RuntimeOptions(threads=threads))

    def assess(self, *, audio: Path | None, transcript: bytes | None, scratch: Path, task: str) -> Assessment:
        """Assess one recording; raises RecordingError for unusable material, UnknownTask."""
        prepared = self.prepare(audio=audio, transcript=transcript, scratch=scratch)
        features = [self.encode(chunk) for chunk in prepared.chunks()]
        return self.score(prepared.document, features, task)

    def prepare(self, *, audio: Path | None, transcript: bytes | None, scratch: Path) -> Prepared:
        """Decode, parse and cut; `scratch` is an empty folder that outlives the result. Raises RecordingError."""
        recording = read_recording(audio=audio, transcript=transcript, scratch=scratch, limits=self.manifest.audio)
        segmentation = segment(recording, self.manifest.segments, self.manifest.quality)
        return Prepared(
            document=Document(bundle_digest=self.bundle.digest, segmentation=segmentation), recording=recording
        )

    def encode(self, chunk: SegmentChunk) -> SegmentFeatures:
        """Run the frozen encoders over those segments whose features are not kept."""
        if self._cached is None:
            return self._graphs.encode(chunk)
        speech, text = self._cached
        return encode_segments(chunk, speech=speech, text=text)

    def score(self, document: Document, features: Sequence[SegmentFeatures], task: str) -> Assessment:
        """Score a document from the features of all its chunks, in any order.

        Raises UnknownTask, and BundleInvalid when the document was prepared for another bundle.
        """
        known = self.bundle.task(task)
        if document.bundle_digest != self.bundle.digest:
            raise BundleInvalid("the recording was prepared for another bundle", advice="Submit the recording again.")
        if document.abstains:
            return self._assessment(document, known.name)
        joined = join(features)
        risks = self.scorer.score(joined, known.name)
        return self._assessment(
            document,
            known.name,
            risks=risks,
            contributions=contributions(self.scorer, joined, task=known.name, outcome=risks.top),
            effects=segment_effects(self.scorer, joined, task=known.name, outcome=risks.top),
        )

    def warm_up(self) -> Deviation:
        """Load every graph, meet every shape where that pays, and answer the golden recording, once a process.

        Raises BundleMisbehaves when the answer is not the one of the release, DeviceUnavailable when the graphs
        cannot run where they should.
        """
        return self._checked[1]

    def close(self) -> None:
        """Give the graphs' memory back; what is asked for afterwards loads them again."""
        for loaded in ("_checked", "_cached", "trace"):
            self.__dict__.pop(loaded, None)
        if self._cache is not None:
            self._cache.close()

    @property
    def cache_counts(self) -> CacheCounts | None:
        """How many segments' features were kept and how many had to be computed; None without a cache."""
        return None if self._cached is None else self._cached[0].counts + self._cached[1].counts

    @property
    def manifest(self) -> Manifest:
        """What the bundle says of itself."""
        return self.bundle.manifest

    @cached_property
    def trace(self) -> ModelTrace:
        """Which model answers, and how it is run."""
        return trace_of(self.bundle, self._graphs, self._options)

    @property
    def scorer(self) -> Scorer:
        """The network with its calibration."""
        return self._graphs.scorer

    @property
    def _graphs(self) -> Graphs:
        return self._checked[0]

    @cached_property
    def _checked(self) -> tuple[Graphs, Deviation]:
        graphs = open_graphs(self.bundle, self._options)
        graphs.warm_up()
        return graphs, check(graphs, read_golden(self.bundle.folder))

    @cached_property
    def _cached(self) -> tuple[CachedEncoder[Waveform], CachedEncoder[str]] | None:
        """Above the check, never below it: the golden recording is always computed."""
        if self._cache is None:
            return None
        return CachedEncoder(self._graphs.speech, self._cache), CachedEncoder(self._graphs.text, self._cache)

    def _assessment(
        self,
        document: Document,
        task: str,
        *,
        risks: Probabilities | None = None,
        contributions: Contributions | None = None,
        effects: SegmentEffects | None = None,
    ) -> Assessment:
        pairs = () if risks is None else tuple(zip(risks.outcomes, risks.values, strict=True))
        return Assessment(
            task=task,
            outcome=None if risks is None else risks.outcomes[risks.top],
            probabilities=tuple(OutcomeProbability(outcome=name, probability=float(p)) for name, p in pairs),
            contributions=contributions,
            segments=() if effects is None else _strongest(document.segmentation.segments, effects),
            quality=document.segmentation.quality,
            model=self.trace,
        )


def _strongest(segments: Sequence[Segment], effects: SegmentEffects) -> tuple[SegmentEffect, ...]:
    """The segments that moved the score most in either direction, strongest first."""
    order = np.argsort(-(np.abs(effects.audio) + np.abs(effects.text)), kind="stable")[:SHOWN_SEGMENTS]
    return tuple(
        SegmentEffect(
            index=segments[position].index,
            start=segments[position].start,
            end=segments[position].end,
            text=segments[position].text,
            audio_effect=float(effects.audio[position]),
            text_effect=float(effects.text[position]),
        )
        for position in order
    )
