"""Faults that a campaign meets by chance, brought about on purpose."""

import json
import os
import signal
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from service.assessments.states import StageKind, StageState, State
from service.storage.tables import AssessmentRow, StageRow, WorkerRow
from tests.faults.serve import FAKE_WORKER
from tests.processes import stop_between_writes
from tests.waiting import wait_for

SLOW = b"slow" + b"x" * 316  # two chunks of half a second
STATE = select(AssessmentRow.state)
ENCODES = StageRow.kind == StageKind.ENCODE


def held(site):
    return site.ask(select(StageRow.fence).where(ENCODES, StageRow.state == StageState.LEASED))


@pytest.fixture
def hasty(open_site):
    """A site where a worker is silent after a second."""
    times = {
        "stage_lease": 2.0,
        "lease_renew_interval": 0.3,
        "worker_timeout": 1.0,
        "worker_heartbeat_interval": 0.2,
    }
    return open_site(stage_max_attempts=2, **{name: timedelta(seconds=seconds) for name, seconds in times.items()})


def test_a_worker_stopped_past_its_lease_cannot_write_when_it_wakes(hasty, tmp_path):
    hasty.send("a1", audio=b"pace=6000 " + b"x" * 100)  # one chunk, in hand for long enough to be met
    with hasty.worker(FAKE_WORKER, lambda: held(hasty)) as stopped:
        stop_between_writes(stopped, hasty.database)
        assert held(hasty), "the chunk ended before its worker was stopped"
        with hasty.worker(FAKE_WORKER, lambda: hasty.ask(STATE) == [State.SUCCEEDED], log=tmp_path / "second.log"):
            before = hasty.ask(select(StageRow.output_key).order_by(StageRow.kind, StageRow.index))
            os.kill(stopped.pid, signal.SIGCONT)
            wait_for(lambda: hasty.lines("stage lost"))
    assert hasty.ask(select(StageRow.output_key).order_by(StageRow.kind, StageRow.index)) == before
    assert hasty.ask(STATE) == [State.SUCCEEDED]
    assert len(hasty.objects.list("assessments")) == 1


def test_a_killed_worker_costs_one_chunk(hasty, tmp_path):
    hasty.send("a1", audio=SLOW * 3)
    done = select(func.count()).where(ENCODES, StageRow.state == StageState.DONE)
    with hasty.worker(FAKE_WORKER, lambda: hasty.ask(done)[0] >= 2 and held(hasty)) as killed:
        killed.kill()
        killed.wait()
        with hasty.worker(FAKE_WORKER, lambda: hasty.ask(STATE) == [State.SUCCEEDED], log=tmp_path / "second.log"):
            pass
    assert sorted(hasty.ask(select(StageRow.attempt).where(ENCODES))) == [1, 1, 1, 1, 1, 2]


def test_a_stage_that_kills_every_worker_fails_with_a_reason(hasty, tmp_path):
    hasty.send("a1", audio=b"deadly" + b"x" * 20)
    failed = select(AssessmentRow.failure_code)
    for number in range(hasty.settings.stage_max_attempts):
        log = tmp_path / f"{number}.log"
        with hasty.worker(FAKE_WORKER, lambda: True, log=log) as worker:
            assert worker.wait(90) == -signal.SIGKILL
    with hasty.worker(FAKE_WORKER, lambda: hasty.ask(failed) == ["workers_lost"], log=tmp_path / "last.log"):
        assert hasty.ask(STATE) == [State.FAILED]


def test_a_job_longer_than_the_visibility_timeout_runs_once(open_site, redis_url):
    site = open_site(concurrency=2, broker_url=redis_url, broker_visibility_timeout=timedelta(seconds=1))
    site.send("a1", audio=SLOW * 3)
    with site.worker(FAKE_WORKER, lambda: site.ask(STATE) == [State.SUCCEEDED]):
        pass
    assert set(site.ask(select(StageRow.attempt))) == {1}


def test_a_stalled_worker_ends_itself_while_work_waits(open_site):
    site = open_site(consumer_stall_timeout=timedelta(seconds=1), republish_after=timedelta(hours=1))
    with site.worker(FAKE_WORKER, lambda: site.ask(select(WorkerRow.id))) as worker:
        site.send("a1", audio=SLOW, published=True)
        assert worker.wait(90) == os.EX_SOFTWARE
    assert site.lines("worker ends: its consumer has stalled while work waits")


def test_an_assessment_of_a_replaced_bundle_is_restarted_with_the_new_one(hasty, tmp_path):
    hasty.settings = hasty.settings.model_copy(update={"bundle": tmp_path / "of-old"})
    hasty.send("a1", audio=SLOW * 3)
    done = select(func.count()).where(ENCODES, StageRow.state == StageState.DONE)
    with hasty.worker(FAKE_WORKER, lambda: hasty.ask(done)[0] >= 1):
        pass
    hasty.settings = hasty.settings.model_copy(update={"bundle": tmp_path / "of-new"})
    with hasty.worker(FAKE_WORKER, lambda: hasty.ask(STATE) == [State.SUCCEEDED], log=tmp_path / "new.log"):
        assert hasty.ask(select(AssessmentRow.model_digest)) == ["sha256:of-new"]
    (key,) = hasty.ask(select(AssessmentRow.result_key))
    assert json.loads(hasty.objects.get(key))["model"]["digest"] == "sha256:of-new"
