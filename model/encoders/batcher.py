"""Dynamic batching: one thread runs the graph of an encoder for any number of caller threads (decision 0019).

A caller submits the units of its segments and waits for their features. Queued units of all callers are batched by
bucket. Neither the features of a unit nor its failure depend on the other units of its batch.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

import numpy as np
from jaxtyping import Float32

from model.encoders.batch_plan import BatchQueue, BatchRules, QueuedUnit, Unit, cost_of
from model.encoders.batching_statistics import BatchingRecord, BatchingStatistics
from model.encoders.cancellation import Cancellation
from model.encoders.submission import EncodingRequest
from model.errors import EncoderBusy, EncoderClosed, EncodingCancelled

Material = TypeVar("Material")
# Maps a bucket and the material of a batch to one row of features per unit.
Run = Callable[[int, Sequence[Material]], Float32[np.ndarray, "unit dim"]]
IDLE_SECONDS = 5.0


class Batcher(Generic[Material]):
    """Batches the units of all caller threads.

    The thread starts with the first unit and ends after some idle seconds, so that an encoder that was not closed
    leaves no thread behind.
    """

    def __init__(
        self, run: Run[Material], rules: BatchRules, *, dim: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._run = run
        self._rules = rules
        self._dim = dim
        self._clock = clock
        self._changed = threading.Condition()
        self._waiting: BatchQueue[Material, EncodingRequest] = BatchQueue(rules)
        self._queueing: deque[EncodingRequest] = deque()  # requests waiting for room, in order
        self._record = BatchingRecord(rules.budget)
        self._thread: threading.Thread | None = None
        self._closed = False

    def encode(
        self, units: Sequence[Unit[Material]], cancellation: Cancellation | None = None
    ) -> Float32[np.ndarray, "unit dim"]:
        """Encode units and return their features, in order; blocks.

        Raises:
            EncodingCancelled: the cancellation fired.
            EncoderBusy: the queue stayed full for `submit_timeout`.
            EncoderClosed: the batcher was closed.
            Exception: the error of the graph for one of the units.
        """
        if not units:
            return np.zeros((0, self._dim), dtype=np.float32)
        submission = EncodingRequest(len(units), self._dim, sum((unit.cost for unit in units), 0.0))
        with (cancellation or Cancellation()).listening(lambda: self._cancel(submission)):
            self._submit(submission, units)
            return submission.result()

    def statistics(self) -> BatchingStatistics:
        """Counts since the batcher was made, and the state of its queue."""
        with self._changed:
            return self._record.snapshot(
                waiting=len(self._waiting),
                waiting_cost=self._waiting.cost,
                oldest_age=self._waiting.age(self._clock()),
            )

    def close(self) -> None:
        """Fail all queued units, finish the running batch, and end the thread; may be called again."""
        with self._changed:
            self._closed = True
            for owner in {entry.owner for entry in self._waiting}:
                self._end(owner, EncoderClosed("the encoder was closed before the segment was encoded"))
            self._changed.notify_all()
            thread = self._thread
        # A thread cannot join itself.
        if thread is not None and thread is not threading.current_thread():
            thread.join()

    def _submit(self, submission: EncodingRequest, units: Sequence[Unit[Material]]) -> None:
        """Wait for room in order of arrival, then queue the units."""
        with self._changed:
            self._queueing.append(submission)
            try:
                admitted = self._changed.wait_for(lambda: self._may_enter(submission), self._rules.submit_timeout)
                if submission.ended:
                    return
                if self._closed:
                    raise EncoderClosed("the encoder is closed")
                if not admitted:
                    raise EncoderBusy(f"no room for more segments within {self._rules.submit_timeout:g} s")
                now = self._clock()
                self._waiting.add(
                    [QueuedUnit(unit=unit, owner=submission, row=row, arrived=now) for row, unit in enumerate(units)]
                )
                self._keep_thread()
            finally:
                # Also when the request gives up, so that the next one in line may enter.
                self._queueing.remove(submission)
                self._changed.notify_all()

    def _may_enter(self, submission: EncodingRequest) -> bool:
        first = self._queueing[0] is submission and self._waiting.has_room(submission.cost)
        return first or submission.ended or self._closed

    def _keep_thread(self) -> None:
        if self._thread is None or not self._thread.is_alive():
            # A daemon, so that an encoder that was not closed does not keep the process alive (decision 0019).
            self._thread = threading.Thread(target=self._work, name="batcher", daemon=True)
            self._thread.start()

    def _cancel(self, submission: EncodingRequest) -> None:
        with self._changed:
            self._end(submission, EncodingCancelled("the features are no longer needed"))
            self._changed.notify_all()

    def _end(self, submission: EncodingRequest, error: Exception) -> None:
        """Fail a request and remove its queued units."""
        submission.fail(error)
        self._record.dropped(self._waiting.drop(submission))

    def _work(self) -> None:
        while batch := self._next_batch():
            self._serve(batch)

    def _next_batch(self) -> tuple[QueuedUnit[Material, EncodingRequest], ...]:
        """Wait for a batch; empty when the thread should end."""
        with self._changed:
            while not self._closed:
                now = self._clock()
                if batch := self._waiting.take(now):
                    self._record.waited([now - entry.arrived for entry in batch])
                    self._changed.notify_all()  # the queue has room again
                    return batch
                pause = self._waiting.ready_in(now)
                notified = self._changed.wait(IDLE_SECONDS if pause is None else pause)
                if not notified and not self._waiting:
                    break
            self._thread = None
            return ()

    def _serve(self, batch: tuple[QueuedUnit[Material, EncodingRequest], ...]) -> None:
        try:
            self._encode(batch)
        except Exception as error:  # retry the units one by one, so that only the failing unit fails
            if len(batch) == 1:
                self._give_up(batch[0], error)
                return
            for entry in batch:
                if not entry.owner.ended:
                    self._serve((entry,))

    def _encode(self, batch: tuple[QueuedUnit[Material, EncodingRequest], ...]) -> None:
        bucket = batch[0].unit.bucket
        started = self._clock()
        # Without the lock, so that callers submit and cancel while the graph runs.
        rows = self._run(bucket, [entry.unit.material for entry in batch])
        seconds = self._clock() - started
        if rows.shape != (len(batch), self._dim):
            raise ValueError(f"the graph gave {rows.shape} for {len(batch)} units of width {self._dim}")
        with self._changed:
            for entry, row in zip(batch, rows, strict=True):
                entry.owner.fill(entry.row, row)
            self._record.ran(
                entries=len(batch),
                used=sum(entry.unit.used for entry in batch),
                padded=bucket * len(batch),
                cost=cost_of(batch),
                seconds=seconds,
            )

    def _give_up(self, entry: QueuedUnit[Material, EncodingRequest], error: Exception) -> None:
        with self._changed:
            self._record.failed()
            self._end(entry.owner, error)
            self._changed.notify_all()
