"""Fill a feature cache with several processes: voice activity detection uses one core, whatever the encoders use."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from multiprocessing import get_context
from pathlib import Path

from rich.console import Console

from model.cache.feature_cache import FeatureCache
from model.config import SegmentSettings
from model.encoders.runtime import RuntimeOptions
from model.errors import RecordingError
from training.cohort.cohort import Cohort
from training.encoding.cohort import CohortEncoder, open_encoders
from training.encoding.progress import track_recordings


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodingWorkerSettings:
    """What each worker process opens: encoders, feature cache, segmentation and runtime options."""

    encoders: Path
    store: Path
    segments: SegmentSettings
    options: RuntimeOptions


def fill_feature_store(cohort: Cohort, settings: EncodingWorkerSettings, *, workers: int, console: Console) -> None:
    """Encode the recordings of a cohort into the feature cache in parallel; `precompute` then reads them.

    A worker skips recordings that it cannot encode, and a killed worker ends the filling: `precompute` encodes or
    reports these recordings.
    """
    # One row for each job: a job is pickled, and the whole cohort would travel with each.
    single = [cohort.take([position]) for position in range(len(cohort))]
    # Spawned, not forked: sessions of ONNX Runtime do not survive a fork.
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        futures = [pool.submit(_fill, recording, settings) for recording in single]
        try:
            for future in track_recordings(as_completed(futures), len(futures), console):
                future.result()
        except BrokenProcessPool:
            console.print("A worker was killed, possibly for lack of memory. Continuing with one process.")


def _fill(single: Cohort, settings: EncodingWorkerSettings) -> None:
    with suppress(RecordingError, OSError):
        _open(settings).encode(single, 0)


@cache
def _open(settings: EncodingWorkerSettings) -> CohortEncoder:
    """The encoder of this process, opened once."""
    pair = open_encoders(settings.encoders, settings.options)
    return CohortEncoder(FeatureCache(settings.store), pair, settings.segments)
