from datetime import timedelta

import pytest
from sqlalchemy import select, update

from service.jobs.assessment import StageState, State
from service.jobs.deliveries import delivery_sweep
from service.jobs.pump import Window
from service.jobs.stages import StageRepository
from service.jobs.sweeper import Sweeper, SweepPlan, lead, remove_material, sweep, sweep_plan
from service.settings import Settings
from service.storage.database import now
from service.storage.objects import material_prefix, result_prefix, work_prefix
from service.storage.tables import AssessmentRow, StageRow
from tests.waiting import wait_for

DELIVERIES = delivery_sweep(Settings())
PLAN = SweepPlan(
    every=timedelta(milliseconds=20),
    republish_after=timedelta(seconds=60),
    attempts=2,
    window=Window(stages_per_worker=4, silence=timedelta(seconds=30)),
    deliveries=DELIVERIES,
)
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
    assert lead(database, "one", timedelta(seconds=9))
    assert not lead(database, "two", timedelta(seconds=9))
    assert lead(database, "one", timedelta(seconds=9))


def test_a_silent_leader_is_replaced(database):
    assert lead(database, "one", -SECOND)
    assert lead(database, "two", SECOND)


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


def test_a_message_nobody_took_up_is_published_again(database, objects, submit):
    submit(database)
    with database.writing() as session:
        session.execute(update(StageRow).values(enqueued_at=now() - timedelta(seconds=61)))
    sweep(database, objects, PLAN)
    assert stage(database).enqueued_at is None


def test_a_fresh_message_is_left_alone(database, objects, submit):
    submit(database)
    with database.writing() as session:
        session.execute(update(StageRow).values(enqueued_at=now()))
    sweep(database, objects, PLAN)
    assert stage(database).enqueued_at is not None


@pytest.mark.parametrize("final", [State.SUCCEEDED, State.FAILED, State.CANCELLED])
def test_material_of_ended_assessments_is_removed_and_the_result_kept(database, objects, submit, final):
    submit(database)
    with database.writing() as session:
        session.execute(update(AssessmentRow).values(state=final))
    objects.put(material_prefix("a1"), b"audio")
    objects.put(work_prefix("a1"), b"features")
    kept = objects.put(result_prefix("a1"), b"result")
    sweep(database, objects, PLAN)
    assert objects.list("assessments") == [kept]


def test_material_of_unfinished_assessments_stays(database, objects, submit):
    submit(database)
    kept = objects.put(material_prefix("a1"), b"audio")
    remove_material(database, objects, "a1")
    assert objects.list("assessments") == [kept]


def test_the_plan_follows_the_settings():
    plan = sweep_plan(Settings(attempts=7, window=9))
    assert (plan.attempts, plan.window.stages_per_worker) == (7, 9)


def test_no_thread_of_a_worker_is_left_without_a_published_stage():
    assert sweep_plan(Settings(concurrency=9)).window.stages_per_worker == 9


def test_the_thread_publishes_when_woken(sqlite, objects, submit, doorbell):
    patient = SweepPlan(
        every=timedelta(seconds=30),
        republish_after=PLAN.republish_after,
        attempts=PLAN.attempts,
        window=PLAN.window,
        deliveries=DELIVERIES,
    )
    sweeper = Sweeper(sqlite, objects, doorbell, patient, "s1")
    sweeper.start()
    submit(sqlite)
    sweeper.wake()
    wait_for(lambda: len(doorbell.rung) == 1)
    sweeper.stop()


def test_the_thread_heals_by_itself(sqlite, objects, submit, doorbell):
    submit(sqlite)
    lose_worker(sqlite)
    sweeper = Sweeper(sqlite, objects, doorbell, PLAN, "s1")
    sweeper.start()
    wait_for(lambda: len(doorbell.rung) == 1)
    sweeper.stop()


class FailingObjects:
    def __init__(self):
        self.asked = 0

    def delete(self, prefix):
        self.asked += 1
        raise OSError("disk")


def test_the_thread_outlives_errors(sqlite, submit, doorbell):
    submit(sqlite)
    with sqlite.writing() as session:
        session.execute(update(AssessmentRow).values(state=State.FAILED))
    failing = FailingObjects()
    sweeper = Sweeper(sqlite, failing, doorbell, PLAN, "s1")
    sweeper.start()
    wait_for(lambda: failing.asked >= 2)
    sweeper.stop()
