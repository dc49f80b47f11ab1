"""Several processes that fill one feature cache: finding speech keeps one core busy, whatever the encoders may use."""

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
    """What each worker opens for itself: the folder of the encoders, the folder to fill, and how its graphs run."""

    encoders: Path
    store: Path
    segments: SegmentSettings
    options: RuntimeOptions


def fill_feature_store(cohort: Cohort, settings: EncodingWorkerSettings, *, workers: int, console: Console) -> None:
    """Encode a cohort's recordings into the store, several at a time; `precompute` then reads them from there.

    What a worker cannot encode it leaves out, a killed worker ends the filling: `precompute` meets both again.
    """
    single = [cohort.take([position]) for position in range(len(cohort))]
    # Spawned, not forked: no session of the runtime crosses a fork.
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        futures = [pool.submit(_fill, recording, settings) for recording in single]
        try:
            for future in track_recordings(as_completed(futures), len(futures), console):
                future.result()
        except BrokenProcessPool:
            console.print("A worker was killed, perhaps for want of memory: going on with one process.")


def _fill(single: Cohort, settings: EncodingWorkerSettings) -> None:
    with suppress(RecordingError, OSError):
        _open(settings).encode(single, 0)


@cache
def _open(settings: EncodingWorkerSettings) -> CohortEncoder:
    """Once a process."""
    pair = open_encoders(settings.encoders, settings.options)
    return CohortEncoder(FeatureCache(settings.store), pair, settings.segments)
