"""The thread that runs batches, with a graph that a test can hold, and that fails on what it is told to."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np
import pytest

from model.encoders import batcher as module
from model.encoders.batch_plan import BatchRules, Unit
from model.encoders.batcher import Batcher
from model.encoders.cancellation import Cancellation
from model.errors import EncoderBusy, EncoderClosed, EncodingCancelled
from tests.waiting import wait_for

DIM = 3


class Graph:
    """Answers a number with that number; while it is held a batch that has begun does not end."""

    def __init__(self):
        self.batches, self.threads = [], set()
        self.poison, self.most = set(), None
        self.begun, self.open = threading.Event(), threading.Event()
        self.open.set()

    def run(self, bucket, numbers):
        self.batches.append((bucket, list(numbers)))
        self.threads.add(threading.current_thread().name)
        self.begun.set()
        assert self.open.wait(30)
        if self.poison & set(numbers):
            raise FloatingPointError(f"poisoned by {self.poison & set(numbers)}")
        if self.most is not None and len(numbers) > self.most:
            raise MemoryError
        return np.repeat(np.array(numbers, dtype=np.float32)[:, None], DIM, axis=1)

    @contextmanager
    def held(self):
        self.open.clear()
        self.begun.clear()
        try:
            yield
        finally:
            self.open.set()


@pytest.fixture
def graph():
    return Graph()


@pytest.fixture
def open_batcher(graph):
    """Batchers that are closed in the end."""
    made = []

    def open_batcher(**rules):
        made.append(Batcher(graph.run, BatchRules(**{"budget": 100.0, **rules}), dim=DIM))
        return made[-1]

    yield open_batcher
    graph.open.set()
    for one in made:
        one.close()


@pytest.fixture
def pool():
    with ThreadPoolExecutor(16) as pool:
        yield pool


def units(*numbers, bucket=10):
    return [Unit(material=number, used=bucket - 1, bucket=bucket, cost=float(bucket)) for number in numbers]


def occupy(graph, batcher, pool):
    """Let one batch be in flight; returns what will become of it."""
    flying = pool.submit(batcher.encode, units(0))
    assert graph.begun.wait(30)
    return flying


def wait_until(batcher, waiting):
    wait_for(lambda: batcher.statistics().waiting == waiting)


def test_each_thread_gets_the_features_of_its_own_units_in_order(graph, open_batcher, pool):
    batcher = open_batcher()
    asked = [[7 * thread + row for row in range(thread % 5 + 1)] for thread in range(40)]
    mixed = [
        [Unit(material=n, used=1, bucket=(10, 25, 60)[n % 3], cost=float((10, 25, 60)[n % 3])) for n in numbers]
        for numbers in asked
    ]
    for numbers, features in zip(asked, pool.map(batcher.encode, mixed), strict=True):
        assert features.tolist() == [[number] * DIM for number in numbers]
    assert graph.threads == {"batcher"}


def test_units_of_several_threads_share_a_batch(graph, open_batcher, pool):
    batcher = open_batcher()
    with graph.held():
        flying = occupy(graph, batcher, pool)
        waiting = [pool.submit(batcher.encode, units(number)) for number in (1, 2, 3)]
        wait_until(batcher, 3)
    assert [one.result(30)[0, 0] for one in (flying, *waiting)] == [0, 1, 2, 3]
    assert [sorted(numbers) for _, numbers in graph.batches] == [[0], [1, 2, 3]]


def test_nothing_to_encode_takes_no_thread(open_batcher, graph):
    assert open_batcher().encode([]).shape == (0, DIM)
    assert graph.batches == []


def test_what_is_cancelled_while_it_waits_never_runs_and_its_thread_goes_on_at_once(graph, open_batcher, pool):
    batcher, cancellation = open_batcher(), Cancellation()
    with graph.held():
        flying = occupy(graph, batcher, pool)
        ended = pool.submit(batcher.encode, units(1, 2), cancellation)
        wanted = pool.submit(batcher.encode, units(3))
        wait_until(batcher, 3)
        cancellation.cancel()
        with pytest.raises(EncodingCancelled):
            ended.result(30)
    assert (flying.result(30)[0, 0], wanted.result(30)[0, 0]) == (0, 3)
    assert [numbers for _, numbers in graph.batches] == [[0], [3]]
    assert batcher.statistics().cancelled == 2


def test_of_what_is_cancelled_at_most_the_batch_in_flight_is_wasted(graph, open_batcher, pool):
    batcher, cancellation = open_batcher(), Cancellation()
    with graph.held():
        ended = pool.submit(batcher.encode, units(*range(25)), cancellation)
        assert graph.begun.wait(30)
        cancellation.cancel()
        with pytest.raises(EncodingCancelled):
            ended.result(30)
    assert batcher.encode(units(99))[0, 0] == 99
    assert [len(numbers) for _, numbers in graph.batches] == [10, 1]


def test_what_was_cancelled_before_is_not_even_submitted(graph, open_batcher):
    cancellation = Cancellation()
    cancellation.cancel()
    with pytest.raises(EncodingCancelled):
        open_batcher().encode(units(1), cancellation)
    assert graph.batches == []


def test_a_poisonous_unit_takes_no_mates_down(graph, open_batcher, pool):
    batcher = open_batcher()
    graph.poison = {2}
    with graph.held():
        flying = occupy(graph, batcher, pool)
        waiting = [pool.submit(batcher.encode, units(number)) for number in (1, 2, 3)]
        wait_until(batcher, 3)
    assert [one.result(30)[0, 0] for one in (flying, waiting[0], waiting[2])] == [0, 1, 3]
    with pytest.raises(FloatingPointError, match="2"):
        waiting[1].result(30)
    assert sorted(numbers for _, numbers in graph.batches[2:]) == [[1], [2], [3]]
    assert batcher.statistics().failed == 1
    assert batcher.encode(units(4))[0, 0] == 4


def test_a_batch_that_does_not_fit_is_encoded_unit_by_unit(graph, open_batcher):
    graph.most = 1
    batcher = open_batcher()
    assert batcher.encode(units(1, 2, 3))[:, 0].tolist() == [1, 2, 3]
    assert (batcher.statistics().failed, batcher.statistics().batches) == (0, 3)


def test_once_a_unit_has_failed_its_submission_costs_nothing_more(graph, open_batcher):
    graph.poison = {0}
    with pytest.raises(FloatingPointError):
        open_batcher(budget=10.0).encode(units(*range(30)))
    assert len(graph.batches) == 1


def test_a_graph_that_answers_another_number_of_rows_is_a_failure_and_no_hang():
    batcher: Batcher[int] = Batcher(
        lambda _bucket, _numbers: np.zeros((2, DIM), np.float32), BatchRules(budget=100.0), dim=DIM
    )
    with pytest.raises(ValueError, match="1 units"):
        batcher.encode(units(1))
    batcher.close()


def test_beyond_the_bound_whoever_submits_waits_for_room(graph, open_batcher, pool):
    batcher = open_batcher(budget=10.0, max_waiting_cost=20.0)
    with graph.held():
        occupy(graph, batcher, pool)
        first = pool.submit(batcher.encode, units(1, 2))
        wait_until(batcher, 2)
        second = pool.submit(batcher.encode, units(3))
        wait_for(lambda: len(batcher._queueing) == 1)
        assert batcher.statistics().waiting == 2
    assert first.result(30)[:, 0].tolist() == [1, 2]
    assert second.result(30)[:, 0].tolist() == [3]


def test_more_than_the_whole_bound_gets_in_when_nothing_waits_and_is_not_overtaken(graph, open_batcher, pool):
    batcher = open_batcher(budget=10.0, max_waiting_cost=20.0)
    with graph.held():
        occupy(graph, batcher, pool)
        first = pool.submit(batcher.encode, units(1))
        wait_until(batcher, 1)
        large = pool.submit(batcher.encode, units(2, 3, 4, 5))
        wait_for(lambda: len(batcher._queueing) == 1)
        small = pool.submit(batcher.encode, units(6))
        wait_for(lambda: len(batcher._queueing) == 2)
        assert batcher.statistics().waiting == 1
    assert first.result(30)[:, 0].tolist() == [1]
    assert large.result(30)[:, 0].tolist() == [2, 3, 4, 5]
    assert small.result(30)[:, 0].tolist() == [6]
    assert [numbers for _, numbers in graph.batches] == [[number] for number in range(7)]


def test_patience_with_a_full_batcher_ends_with_a_clear_error(graph, open_batcher, pool):
    batcher = open_batcher(max_waiting_cost=10.0, submit_timeout=0.02)
    with graph.held():
        occupy(graph, batcher, pool)
        first = pool.submit(batcher.encode, units(1))
        wait_until(batcher, 1)
        with pytest.raises(EncoderBusy, match="within 0"):
            batcher.encode(units(2))
    assert first.result(30)[0, 0] == 1


def test_whoever_waits_for_room_can_be_cancelled(graph, open_batcher, pool):
    batcher, cancellation = open_batcher(max_waiting_cost=10.0), Cancellation()
    with graph.held():
        occupy(graph, batcher, pool)
        pool.submit(batcher.encode, units(1))
        wait_until(batcher, 1)
        ended = pool.submit(batcher.encode, units(2), cancellation)
        wait_for(lambda: len(batcher._queueing) == 1)
        cancellation.cancel()
        with pytest.raises(EncodingCancelled):
            ended.result(30)
    assert batcher.encode(units(3))[0, 0] == 3


def test_closing_fails_what_waits_lets_the_batch_in_flight_end_and_ends_the_thread(graph, open_batcher, pool):
    batcher = open_batcher(max_waiting_cost=10.0)
    with graph.held():
        flying = occupy(graph, batcher, pool)
        thread = batcher._thread
        waiting = pool.submit(batcher.encode, units(1))
        wait_until(batcher, 1)
        queueing = pool.submit(batcher.encode, units(2))
        wait_for(lambda: len(batcher._queueing) == 1)
        closing = pool.submit(batcher.close)
        for one in (waiting, queueing):
            with pytest.raises(EncoderClosed):
                one.result(30)
    closing.result(30)
    assert flying.result(30)[0, 0] == 0
    assert not thread.is_alive()
    with pytest.raises(EncoderClosed):
        batcher.encode(units(3))
    batcher.close()


def test_a_batcher_with_nothing_to_do_gives_its_thread_back_and_takes_another(graph, open_batcher, monkeypatch):
    monkeypatch.setattr(module, "IDLE_SECONDS", 0.01)
    batcher = open_batcher()
    batcher.encode(units(1))
    wait_for(lambda: batcher._thread is None)
    assert batcher.encode(units(2))[0, 0] == 2


def test_an_incomplete_batch_waits_for_further_units_if_configured(graph, open_batcher, pool):
    batcher = open_batcher(budget=30.0, linger=30.0)
    waiting = [pool.submit(batcher.encode, units(number)) for number in (1, 2, 3)]
    assert [one.result(20)[0, 0] for one in waiting] == [1, 2, 3]
    assert len(graph.batches) == 1


def test_statistics_count_what_ran_what_waited_and_what_padding_cost(graph, pool):
    now = [100.0]

    def run(bucket, numbers):
        rows = graph.run(bucket, numbers)
        now[0] += 2.0  # a batch takes two seconds
        return rows

    batcher = Batcher(run, BatchRules(budget=40.0), dim=DIM, clock=lambda: now[0])
    with graph.held():
        occupy(graph, batcher, pool)
        waiting = pool.submit(batcher.encode, units(1, 2, 3))
        wait_until(batcher, 3)
        now[0] += 1.0
        standing = batcher.statistics()
    waiting.result(30)
    found = batcher.statistics()
    batcher.close()
    assert (standing.waiting, standing.waiting_cost, standing.oldest_age) == (3, 30.0, 1.0)
    assert (found.batches, found.entries, found.waiting, found.oldest_age) == (2, 4, 0, 0.0)
    assert (found.used, found.padded) == (36, 40)
    assert found.padding == pytest.approx(40 / 36)
    assert found.fill == pytest.approx((10 + 30) / 40 / 2)
    assert found.busy_seconds == pytest.approx(5.0)  # the first batch was held for one second
    assert found.wait_p50 == pytest.approx(3.0)
