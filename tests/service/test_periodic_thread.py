from datetime import timedelta
from threading import Event

import pytest

from service.periodic_thread import PeriodicThread
from tests.waiting import wait_for

SHORT = timedelta(milliseconds=5)
LONG = timedelta(hours=1)


class Work:
    """Counts its runs; `result` is what each of them returns."""

    def __init__(self, result=None):
        self.runs = 0
        self.result = result

    def __call__(self):
        self.runs += 1
        return self.result


@pytest.fixture
def run():
    threads = []

    def run(work, interval, **options):
        thread = PeriodicThread("test", work, interval, **options)
        threads.append(thread)
        thread.start()
        return thread

    yield run
    for thread in threads:
        thread.stop()


def test_the_work_runs_after_each_interval_until_the_thread_is_stopped(run):
    work = Work()
    thread = run(work, SHORT)
    wait_for(lambda: work.runs >= 3)
    thread.stop()
    runs = work.runs
    assert not thread._thread.is_alive()
    assert work.runs == runs


def test_a_wake_up_runs_the_work_before_the_interval_ends(run):
    work = Work()
    run(work, LONG).wake()
    wait_for(lambda: work.runs == 1)


def test_a_wake_up_during_the_work_runs_it_again(run):
    entered, proceed, runs = Event(), Event(), []

    def work():
        runs.append(1)
        entered.set()
        proceed.wait(10)

    thread = run(work, LONG)
    thread.wake()
    entered.wait(10)
    thread.wake()
    proceed.set()
    wait_for(lambda: len(runs) == 2)


def test_the_work_ends_the_thread_by_returning_true(run):
    work = Work(result=True)
    thread = run(work, SHORT)
    wait_for(lambda: not thread._thread.is_alive())
    assert work.runs == 1


def test_the_work_can_run_at_the_start(run):
    work = Work(result=True)
    thread = run(work, LONG, run_at_start=True)
    wait_for(lambda: not thread._thread.is_alive())
    assert work.runs == 1


def test_starting_twice_and_stopping_an_unstarted_thread_change_nothing(run):
    thread = run(Work(), LONG)
    thread.start()
    PeriodicThread("never", Work(), LONG).stop()


def test_stopping_waits_no_longer_than_the_join_timeout(run):
    entered, proceed = Event(), Event()

    def work():
        entered.set()
        proceed.wait(10)

    thread = run(work, LONG, run_at_start=True, join_timeout=SHORT)
    entered.wait(10)
    thread.stop()
    assert thread._thread.is_alive()
    proceed.set()
