from dataclasses import replace
from datetime import timedelta
from typing import cast

import pytest
from sqlalchemy import select, update

from service.assessments.stages import StageRepository
from service.assessments.states import StageState, State
from service.maintenance.sweeper import Sweeper, acquire_leadership, sweep, sweep_plan
from service.settings import Settings
from service.storage.database import now
from service.storage.objects import ObjectStore
from service.storage.tables import AssessmentRow, StageRow, WorkerRow
from tests.waiting import wait_for

PLAN = replace(sweep_plan(Settings(stage_max_attempts=2)), interval=timedelta(milliseconds=20))
SECOND = timedelta(seconds=1)


def stage(database):
    with database.reading() as session:
        return session.scalars(select(StageRow)).one()


def lose_worker(database):
    """Claim the only stage and let its lease run out."""
    with database.writing() as session:
        assert StageRepository(session, "w1").claim(stage(database).id, -SECOND, 9) is not None


def state(database):
    with database.reading() as session:
        return session.get(AssessmentRow, "a1").state


def test_there_is_one_leader(database):
    assert acquire_leadership(database, "one", timedelta(seconds=9))
    assert not acquire_leadership(database, "two", timedelta(seconds=9))
    assert acquire_leadership(database, "one", timedelta(seconds=9))


def test_a_silent_leader_is_replaced(database):
    assert acquire_leadership(database, "one", -SECOND)
    assert acquire_leadership(database, "two", SECOND)


def test_the_stage_of_a_lost_worker_becomes_ready(database, objects, submit):
    submit(database)
    lose_worker(database)
    sweep(database, objects, PLAN)
    assert stage(database).state == StageState.READY


def test_a_stage_that_loses_every_worker_fails(database, objects, submit):
    submit(database)
    for _ in range(PLAN.attempts):
        lose_worker(database)
        sweep(database, objects, PLAN)
    assert state(database) == State.FAILED


def test_an_unclaimed_message_is_published_again(database, objects, submit):
    submit(database)
    with database.writing() as session:
        session.execute(update(StageRow).values(enqueued_at=now() - timedelta(seconds=61)))
    sweep(database, objects, PLAN)
    assert stage(database).enqueued_at is None


def test_the_stage_of_a_dead_worker_becomes_ready_before_its_lease_expires(database, objects, submit, join_worker):
    submit(database)
    join_worker(database, "w1")
    with database.writing() as session:
        StageRepository(session, "w1").claim(stage(database).id, timedelta(hours=1), 9)
    sweep(database, objects, PLAN)
    assert stage(database).state == StageState.LEASED
    with database.writing() as session:
        session.execute(update(WorkerRow).values(beat_at=now() - timedelta(seconds=31)))
    sweep(database, objects, PLAN)
    assert stage(database).state == StageState.READY


@pytest.mark.parametrize(("held", "forgotten"), [(0, True), (1, False)])
def test_a_message_counts_as_lost_early_only_while_a_worker_is_idle(
    database, objects, submit, join_worker, held, forgotten
):
    join_worker(database, "w1")
    for number in range(held):
        submit(database, f"held{number}")
        with database.writing() as session:
            stages = StageRepository(session, "w1")
            stages.claim(session.scalars(select(StageRow.id)).one(), timedelta(hours=1), 9)
    submit(database)
    with database.writing() as session:
        session.execute(update(StageRow).values(enqueued_at=now() - timedelta(seconds=6)))
    sweep(database, objects, PLAN)
    with database.reading() as session:
        row = session.scalars(select(StageRow).where(StageRow.assessment_id == "a1")).one()
    assert (row.enqueued_at is None) == forgotten


def test_early_redelivery_is_bounded_by_the_idle_slots(database, objects, submit, join_worker):
    join_worker(database, "w1")
    for number in range(5):
        submit(database, f"a{number}")
    with database.writing() as session:
        session.execute(update(StageRow).values(enqueued_at=now() - timedelta(seconds=6)))
    sweep(database, objects, PLAN)
    with database.reading() as session:
        assert session.scalars(select(StageRow.enqueued_at)).all().count(None) == 1


def test_a_recent_message_is_not_published_again(database, objects, submit):
    submit(database)
    with database.writing() as session:
        session.execute(update(StageRow).values(enqueued_at=now()))
    sweep(database, objects, PLAN)
    assert stage(database).enqueued_at is not None


def test_the_plan_follows_the_settings():
    plan = sweep_plan(Settings(stage_max_attempts=7, publish_window=9))
    assert (plan.attempts, plan.window.stages_per_slot) == (7, 9)


def test_the_thread_publishes_when_woken(sqlite, objects, submit, publisher):
    patient = replace(PLAN, interval=timedelta(seconds=30))
    sweeper = Sweeper(sqlite, objects, publisher, patient, "s1")
    sweeper.start()
    submit(sqlite)
    sweeper.wake()
    wait_for(lambda: len(publisher.published) == 1)
    sweeper.stop()


def test_the_thread_takes_back_lost_stages_by_itself(sqlite, objects, submit, publisher):
    submit(sqlite)
    lose_worker(sqlite)
    sweeper = Sweeper(sqlite, objects, publisher, PLAN, "s1")
    sweeper.start()
    wait_for(lambda: len(publisher.published) == 1)
    sweeper.stop()


class FailingObjects:
    def __init__(self):
        self.asked = 0

    def delete(self, prefix):
        self.asked += 1
        raise OSError("disk")


def test_the_thread_outlives_errors(sqlite, submit, publisher):
    submit(sqlite)
    with sqlite.writing() as session:
        session.execute(update(AssessmentRow).values(state=State.FAILED, finished_at=now()))
    failing = FailingObjects()
    sweeper = Sweeper(sqlite, cast(ObjectStore, failing), publisher, PLAN, "s1")
    sweeper.start()
    wait_for(lambda: failing.asked >= 2)
    sweeper.stop()
