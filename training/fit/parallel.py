"""Several processes that train stacks side by side, each with its own threads.

Much of a step is spread over small operations that several threads do little faster than one; whole stacks share
nothing, so as many processes as cores do. What a worker finishes is on disk before it is told of, so a killed
worker, or a killed parent, costs the steps since the last saved state.
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

from training.fit.run_types import Look

Report = Callable[[str, Look], None]
Task = Callable[[Report], None]
POLL_SECONDS = 0.2

_looks: list[Queue[Any]] = []  # this worker's way to tell its parent, put here once when it starts


def work_off(tasks: Sequence[Task], *, workers: int, report: Report) -> None:
    """Run the tasks, as many at once as there are workers; their looks are reported here as they come.

    Tasks are pickled. The first task that raises ends the rest, and its error is raised.
    """
    if workers == 1 or len(tasks) == 1:
        for task in tasks:
            task(report)
        return
    context = get_context("spawn")  # no thread of a numerical library crosses a fork
    looks: Queue[Any] = context.Queue()
    with ProcessPoolExecutor(workers, mp_context=context, initializer=_begin, initargs=(looks,)) as pool:
        futures = [pool.submit(_run, task) for task in tasks]
        try:
            _follow(futures, looks, report)
        finally:
            pool.shutdown(cancel_futures=True)


def _follow(futures: Iterable[Future[None]], looks: Queue[Any], report: Report) -> None:
    pending = set(futures)
    while pending:
        done, pending = wait(pending, timeout=POLL_SECONDS, return_when="FIRST_COMPLETED")
        _drain(looks, report)
        for future in done:
            future.result()


def _drain(looks: Queue[Any], report: Report) -> None:
    while True:
        try:
            title, look = looks.get_nowait()
        except Empty:
            return
        report(title, Look.from_json(look))


def _begin(looks: Queue[Any]) -> None:
    _looks.append(looks)
    Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A parent that was killed cannot stop its workers."""
    parent = parent_process()
    if parent is not None:
        wait_for([parent.sentinel])
        os._exit(1)


def _run(task: Task) -> None:
    task(_tell)


def _tell(title: str, look: Look) -> None:
    _looks[0].put((title, look.to_json()))
