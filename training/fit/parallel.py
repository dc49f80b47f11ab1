"""Train stacks in parallel processes, each with its own threads.

A training step consists of many small operations, which several threads speed up little. Stacks share no state, so one
process per core is faster. A worker writes a finished stack to disk before it returns, so a killed worker or parent
loses only the steps since the last saved state.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, wait
from multiprocessing import get_context, parent_process
from multiprocessing.connection import wait as wait_for
from multiprocessing.queues import Queue
from queue import Empty
from threading import Thread
from typing import Any

from training.fit.run_types import EpochReport, ReportEpoch

StackJob = Callable[[ReportEpoch], None]
POLL_SECONDS = 0.2

_report_queues: list[Queue[Any]] = []  # a worker's queue to its parent, set once by `_init_worker`


def run_jobs(jobs: Sequence[StackJob], *, workers: int, report_epoch: ReportEpoch) -> None:
    """Run the jobs in up to `workers` processes and pass their reports to `report_epoch` in this process.

    Jobs are pickled. The first error cancels the jobs that have not started, and is raised.
    """
    if workers == 1 or len(jobs) == 1:
        for job in jobs:
            job(report_epoch)
        return
    context = get_context("spawn")  # threads of numerical libraries do not survive a fork
    reports: Queue[Any] = context.Queue()
    with ProcessPoolExecutor(workers, mp_context=context, initializer=_init_worker, initargs=(reports,)) as pool:
        futures = [pool.submit(_run, job) for job in jobs]
        try:
            _wait_for_all(futures, reports, report_epoch)
        finally:
            # Leaving the `with` block would first run the jobs that have not started.
            pool.shutdown(cancel_futures=True)


def _wait_for_all(futures: Iterable[Future[None]], reports: Queue[Any], report_epoch: ReportEpoch) -> None:
    pending = set(futures)
    while pending:
        # Short waits, so that reports are shown while the jobs run.
        done, pending = wait(pending, timeout=POLL_SECONDS, return_when="FIRST_COMPLETED")
        _drain(reports, report_epoch)
        for future in done:
            future.result()


def _drain(reports: Queue[Any], report_epoch: ReportEpoch) -> None:
    while True:
        try:
            title, content = reports.get_nowait()
        except Empty:
            return
        report_epoch(title, EpochReport.from_json(content))


def _init_worker(reports: Queue[Any]) -> None:
    _report_queues.append(reports)
    Thread(target=_exit_with_parent, daemon=True).start()


def _exit_with_parent() -> None:
    """Exit when the parent has exited: a killed parent cannot stop its workers."""
    parent = parent_process()
    if parent is not None:
        wait_for([parent.sentinel])
        os._exit(1)


def _run(job: StackJob) -> None:
    job(_send_report)


def _send_report(title: str, report: EpochReport) -> None:
    _report_queues[0].put((title, report.to_json()))
