from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from service.assessments.states import Priority, StageKind
from service.queue.publisher import Window, pump
from service.storage.database import now
from service.storage.tables import AssessmentRow, StageRow
from service.worker_registry import WorkerIdentity, register

WINDOW = Window(stages_per_slot=2, silence=timedelta(seconds=30))


def stage_of(database, assessment_id):
    with database.reading() as session:
        return session.scalars(select(StageRow).where(StageRow.assessment_id == assessment_id)).one()


def test_a_ready_stage_is_rung_once(database, submit, doorbell):
    submit(database)
    assert pump(database, doorbell, WINDOW) == 1
    assert pump(database, doorbell, WINDOW) == 0
    assert doorbell.rung == [("prepare", stage_of(database, "a1").id)]


def test_nothing_is_rung_when_nothing_waits(database, doorbell):
    assert pump(database, doorbell, WINDOW) == 0


def test_no_more_is_rung_than_the_window_holds(database, submit, doorbell):
    for number in range(5):
        submit(database, f"a{number}")
    pump(database, doorbell, WINDOW)
    assert len(doorbell.rung) == 2


def test_the_window_grows_with_the_workers_of_the_queue(database, submit, doorbell, join_worker):
    for number in range(5):
        submit(database, f"a{number}")
    join_worker(database, "w1", ("prepare", "encode"))
    join_worker(database, "w2", ("prepare",))
    join_worker(database, "w3", ("encode",))
    pump(database, doorbell, WINDOW)
    assert len(doorbell.rung) == 4


def test_routine_goes_before_batch_and_the_oldest_first(database, submit, doorbell):
    submit(database, "batch", priority=Priority.BATCH)
    submit(database, "z-first")
    submit(database, "a-second")
    pump(database, doorbell, Window(stages_per_slot=3, silence=timedelta(seconds=30)))
    expected = [("prepare", stage_of(database, name).id) for name in ("z-first", "a-second", "batch")]
    assert doorbell.rung == expected


def test_a_delayed_stage_is_not_rung_before_its_time(database, submit, doorbell):
    submit(database)
    with database.writing() as session:
        session.scalars(select(StageRow)).one().not_before = now() + timedelta(seconds=60)
    assert pump(database, doorbell, WINDOW) == 0


def test_what_could_not_be_rung_waits_for_the_next_time(database, submit, doorbell):
    submit(database)
    doorbell.broken = True
    assert pump(database, doorbell, WINDOW) == 0
    doorbell.broken = False
    assert pump(database, doorbell, WINDOW) == 1


@pytest.mark.parametrize("count", [3])
def test_pumps_that_meet_ring_each_stage_once(database, submit, doorbell, count):
    import threading

    for number in range(count):
        submit(database, f"a{number}")
    window = Window(stages_per_slot=50, silence=timedelta(seconds=30))
    threads = [threading.Thread(target=pump, args=(database, doorbell, window)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(doorbell.rung) == len(set(doorbell.rung)) == count


def test_the_window_counts_what_a_worker_can_do_at_once(database, submit, doorbell, loaded_model):
    for number in range(9):
        submit(database, f"a{number}")
    with database.writing() as session:
        register(session, WorkerIdentity(id="w1", queues=("prepare",), slots=4), loaded_model)
    pump(database, doorbell, WINDOW)
    assert len(doorbell.rung) == 8


def test_a_full_batch_lane_leaves_the_window_of_routine_alone(database, submit, doorbell):
    for number in range(5):
        submit(database, f"b{number}", priority=Priority.BATCH)
    pump(database, doorbell, WINDOW)
    submit(database, "urgent")
    assert pump(database, doorbell, WINDOW) == 1
    assert doorbell.rung[-1] == ("prepare", stage_of(database, "urgent").id)


def test_tenants_take_turns(database, submit, doorbell, stranger):
    for number in range(3):
        submit(database, f"a{number}")
    submit(database, "late", by=stranger)
    pump(database, doorbell, WINDOW)
    assert doorbell.rung == [("prepare", stage_of(database, name).id) for name in ("a0", "late")]


def begin(database, name, model):
    """Let an assessment wait to be encoded with a model."""
    with database.writing() as session:
        session.execute(update(StageRow).where(StageRow.assessment_id == name).values(kind=StageKind.ENCODE))
        session.get(AssessmentRow, name).model_digest = model


def test_what_no_living_worker_can_go_on_with_clogs_no_window(database, submit, doorbell, join_worker):
    for number in range(4):
        submit(database, f"gone{number}")
        begin(database, f"gone{number}", "gone")
    submit(database, "mine")
    begin(database, "mine", "sha256:rehearsal")
    join_worker(database, "w1", ("encode",))
    pump(database, doorbell, WINDOW)
    assert doorbell.rung == [("encode", stage_of(database, "mine").id)]


def test_each_model_s_workers_have_a_window_of_their_own(database, submit, doorbell, join_worker, loaded_model):
    for number in range(8):
        model = "old" if number < 5 else "sha256:rehearsal"
        submit(database, f"a{number}")
        begin(database, f"a{number}", model)
    join_worker(database, "w1", ("encode",))
    join_worker(database, "w2", ("encode",), replace(loaded_model, digest="old"))
    pump(database, doorbell, WINDOW)
    expected = {stage_of(database, name).id for name in ("a0", "a1", "a5", "a6")}
    assert {stage_id for _, stage_id in doorbell.rung} == expected


def test_without_any_worker_the_stages_of_every_model_are_published(database, submit, doorbell):
    submit(database, "one")
    begin(database, "one", "gone")
    assert pump(database, doorbell, WINDOW) == 1
