from datetime import timedelta
from threading import Event
from time import sleep

import pytest

from service.worker.watchdog import Watchdog, WatchdogLimits
from tests.waiting import wait_for

LONG = timedelta(minutes=1)
SHORT = timedelta(milliseconds=50)


@pytest.fixture
def watch():
    started = []

    def watch(work_waits, *, stage_timeout=LONG, stall_timeout=LONG):
        ended: list[int] = []
        watchdog = Watchdog(
            WatchdogLimits(stage_timeout=stage_timeout, stall_timeout=stall_timeout), work_waits, ended.append
        )
        watchdog.start()
        started.append(watchdog)
        return watchdog, ended

    yield watch
    for watchdog in started:
        watchdog.stop()


def test_a_stalled_worker_is_ended_while_work_waits(watch):
    _, ended = watch(lambda: True, stall_timeout=SHORT)
    wait_for(lambda: ended == [70])


def test_an_idle_worker_without_work_is_not_ended(watch):
    asked = []
    _, ended = watch(lambda: asked.append(1), stall_timeout=SHORT)
    wait_for(lambda: len(asked) > 30)
    assert ended == []


def test_a_worker_that_receives_messages_is_not_ended(watch):
    watchdog, ended = watch(lambda: True, stall_timeout=timedelta(seconds=1.5))
    for _ in range(100):
        with watchdog.serving():
            sleep(0.02)
    assert ended == []


def test_a_busy_worker_is_not_stalled(watch):
    watchdog, ended = watch(lambda: True, stall_timeout=SHORT)
    with watchdog.serving():
        sleep(0.3)
    assert ended == []


def test_a_worker_is_ended_when_a_stage_exceeds_its_timeout(watch):
    watchdog, ended = watch(lambda: False, stage_timeout=SHORT, stall_timeout=SHORT)
    with watchdog.serving():
        wait_for(lambda: ended == [70])


def test_a_failing_check_ends_no_worker(watch):
    asked = Event()

    def unknown():
        asked.set()
        raise OSError("the database is gone")

    _, ended = watch(unknown, stall_timeout=SHORT)
    assert asked.wait(90)
    sleep(0.2)
    assert ended == []
