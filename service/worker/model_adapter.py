"""The only module of the service that imports the model: it converts between its values and those of the service."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, fields
from datetime import timedelta
from pathlib import Path

import structlog

from model.bundle.bundle import open_bundle
from model.bundle.keys import read_public_key
from model.bundle.signature import Trust
from model.cache.segment_cache import SegmentCache
from model.encoders.batching_statistics import BatchingStatistics
from model.encoders.cancellation import Cancellation
from model.encoders.runtime import RuntimeOptions, refuse_missing
from model.errors import BundleError, DeviceUnavailable, EncodingCancelled, RecordingError, SigningKeyUnusable
from model.features import SegmentChunk, SegmentFeatures
from model.pipeline import Document, Pipeline, Prepared
from model.recording.options import RecordingOptions
from service.assessments.result import ModelTrace, Result
from service.errors.tree import ConfigurationRefused, FenceLost
from service.periodic_thread import PeriodicThread
from service.setting_groups import REPOSITORY
from service.settings import PEM, Settings
from service.worker.model_protocol import (
    Check,
    EncoderLoad,
    MaterialUnusable,
    OnLost,
    Preparation,
    PreparedChunk,
    RecordingOptionFields,
    never_lost,
)
from service.worker_registry import LoadedModel, TaskOutcomes

log = structlog.stdlib.get_logger(__name__)

MEGABYTE = 1_000_000
PRUNES_PER_TTL = 10
"""So an entry outlives its time to live by a tenth of it at most."""
MAX_PRUNE_INTERVAL = timedelta(minutes=1)
EXAMPLE_KEY = REPOSITORY / "examples" / "bundle.pub"


def open_model(settings: Settings) -> PipelineModel:
    """Open the configured bundle and verify its signature and digests. Raises ConfigurationRefused."""
    options = runtime_of(settings)
    with _model_errors(settings.bundle):
        refuse_missing(options)
        # A symbolic link is resolved once, so that replacing it never mixes two bundles in a running worker.
        bundle = open_bundle(settings.bundle.expanduser().resolve(), trust_of(settings))
    cache = open_cache(settings)
    return PipelineModel(Pipeline(bundle, options, cache), None if cache is None else pruning_thread(cache))


def runtime_of(settings: Settings) -> RuntimeOptions:
    """The device, threads and memory that graphs run with."""
    memory = settings.device_memory_mb
    return RuntimeOptions(
        threads=settings.threads,
        linger=settings.batch_max_delay.total_seconds(),
        device=settings.device,
        device_id=settings.device_id,
        device_memory=None if memory is None else memory * MEGABYTE,
        engines=settings.folder / "engines",
        cuda_graphs=settings.cuda_graphs,
    )


def open_cache(settings: Settings) -> SegmentCache | None:
    """The feature cache, or None when the settings keep no features."""
    if not settings.feature_cache_mb:
        return None
    return SegmentCache(
        settings.feature_cache,
        most_bytes=settings.feature_cache_mb * MEGABYTE,
        age=settings.feature_cache_ttl.total_seconds(),
    )


def pruning_thread(cache: SegmentCache) -> PeriodicThread:
    """A thread that deletes expired entries, also while no stage reads or writes the cache."""
    longest = MAX_PRUNE_INTERVAL.total_seconds()
    seconds = longest if cache.age is None else min(longest, cache.age / PRUNES_PER_TTL)
    return PeriodicThread("cache pruning", cache.prune, timedelta(seconds=seconds))


def trust_of(settings: Settings) -> Trust:
    """The operator's trusted keys, one of which is then required; by default the example's key is known, not required.

    Raises ConfigurationRefused for a key that cannot be read.
    """
    try:
        if settings.trusted_keys:
            keys = tuple(read_public_key(_pem(entry)) for entry in settings.trusted_keys)
            return Trust(keys=keys, required=True)
        return Trust(keys=(read_public_key(EXAMPLE_KEY.read_bytes()),) if EXAMPLE_KEY.exists() else ())
    except (OSError, SigningKeyUnusable) as error:
        raise ConfigurationRefused(
            "HILBERT_TRUSTED_KEYS names a key that cannot be read: each entry is the file or the text of an Ed25519 "
            "public key in PEM form."
        ) from error


def _pem(entry: str) -> bytes:
    return entry.encode() if entry.lstrip().startswith(PEM) else Path(entry).expanduser().read_bytes()


@contextmanager
def _model_errors(bundle: Path) -> Iterator[None]:
    """Turn errors of the model into ConfigurationRefused that names the setting."""
    try:
        yield
    except DeviceUnavailable as error:
        raise ConfigurationRefused(
            f"HILBERT_DEVICE cannot be had ({error.code}): {error.detail}. {error.advice}"
        ) from error
    except BundleError as error:
        raise ConfigurationRefused(
            f"The bundle in {bundle} cannot be used ({error.code}): {error.detail}. {error.advice} "
            "HILBERT_BUNDLE names its folder."
        ) from error


class PipelineModel:
    """The assessment model of a real bundle; graphs are loaded by `warm_up`, or on first use."""

    def __init__(self, pipeline: Pipeline, pruning: PeriodicThread | None = None) -> None:
        self._pipeline = pipeline
        self._pruning = pruning

    @property
    def loaded(self) -> LoadedModel:
        """The loaded bundle."""
        manifest = self._pipeline.manifest
        return LoadedModel(
            bundle=manifest.name,
            version=manifest.version,
            digest=self._pipeline.bundle.digest,
            demonstration=manifest.demonstration,
            tasks=tuple(TaskOutcomes(name=task.name, outcomes=task.outcomes) for task in manifest.tasks),
            encoders={str(stream): fingerprint for stream, fingerprint in manifest.encoders.items()},
        )

    @property
    def trace(self) -> ModelTrace:
        """The provenance that results carry."""
        return ModelTrace.model_validate(asdict(self._pipeline.provenance))

    def warm_up(self) -> None:
        """Load every graph and check it on the golden recording. Raises ConfigurationRefused."""
        with _model_errors(self._pipeline.bundle.folder):
            self._pipeline.warm_up()
        if self._pruning is not None:
            self._pruning.start()

    def close(self) -> None:
        """Stop the encoders' threads and free the memory of the graphs."""
        if self._pruning is not None:
            self._pruning.stop()
        self._pipeline.close()

    def prepare(
        self,
        audio: Path | None,
        transcript: bytes | None,
        scratch: Path,
        recording: RecordingOptionFields = None,
        *,
        check: Check = never_lost,
    ) -> Preparation:
        """Decode and cut; the folder `scratch` must outlive the chunks. Raises MaterialUnusable."""
        try:
            prepared = self._pipeline.prepare(
                audio=audio,
                transcript=transcript,
                scratch=scratch,
                options=_options(recording),
                check=check,
            )
        except RecordingError as error:
            raise _unusable(error) from error
        seconds = 0.0 if audio is None else prepared.document.segmentation.quality.duration_seconds
        return Preparation(summary=prepared.document.to_json(), seconds=seconds, chunks=_chunks(prepared))

    def encode(self, chunk: bytes, on_lost: OnLost | None = None) -> bytes:
        """Features of a chunk, batched with those of other threads. Raises FenceLost soon after the claim is lost."""
        cancellation = Cancellation()
        if on_lost is not None:
            on_lost(cancellation.cancel)
        try:
            features = self._pipeline.encode(SegmentChunk.from_bytes(chunk), cancellation).to_bytes()
        # The lease keeper cancelled the work because the claim is lost, so the runner must see no defect.
        except EncodingCancelled as error:
            raise FenceLost("The stage was cancelled or taken over while its segments were encoded.") from error
        if (counts := self._pipeline.cache_counts) is not None:
            log.info("features so far", kept=counts.hits, computed=counts.misses)
        return features

    def score(self, summary: bytes, features: Sequence[bytes], task: str) -> Result:
        """The result; its outcome is None when the material allows no score."""
        document = Document.from_json(summary)
        encoded = [SegmentFeatures.from_bytes(part) for part in features]
        return Result.model_validate(asdict(self._pipeline.score(document, encoded, task)))

    def load(self) -> tuple[EncoderLoad, ...]:
        """The counters of each encoder."""
        return tuple(_load(str(name), statistics) for name, statistics in self._pipeline.statistics().items())


def _options(recording: RecordingOptionFields) -> RecordingOptions:
    """The options of the pipeline; a list of the database becomes a tuple."""
    given = recording or {}
    return RecordingOptions(
        participant=tuple(given.get("participant", ())),
        interviewer=tuple(given.get("interviewer", ())),
        audio_track=given.get("audio_track"),
        participant_channel=given.get("participant_channel"),
    )


def _load(name: str, statistics: BatchingStatistics) -> EncoderLoad:
    """The part of the statistics that the service declares, by its own field names."""
    shared = {field.name: getattr(statistics, field.name) for field in fields(EncoderLoad) if field.name != "encoder"}
    return EncoderLoad(encoder=name, **shared)


def _chunks(prepared: Prepared) -> Iterator[PreparedChunk]:
    try:
        for chunk in prepared.chunks():
            yield PreparedChunk(content=chunk.to_bytes(), segments=len(chunk.segments))
    except RecordingError as error:
        raise _unusable(error) from error


def _unusable(error: RecordingError) -> MaterialUnusable:
    return MaterialUnusable(code=error.code, detail=error.detail, advice=error.advice)
