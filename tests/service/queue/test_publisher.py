from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from service.assessments.states import Priority, StageKind
from service.queue.publisher import PublishWindow, publish_stages
from service.storage.database import now
from service.storage.tables import AssessmentRow, StageRow
from service.worker_registry import WorkerIdentity, register

WINDOW = PublishWindow(stages_per_slot=2, worker_timeout=timedelta(seconds=30))


def stage_of(database, assessment_id):
    with database.reading() as session:
        return session.scalars(select(StageRow).where(StageRow.assessment_id == assessment_id)).one()


def test_a_ready_stage_is_published_once(database, submit, publisher):
    submit(database)
    assert publish_stages(database, publisher, WINDOW) == 1
    assert publish_stages(database, publisher, WINDOW) == 0
    assert publisher.published == [("prepare", stage_of(database, "a1").id)]


def test_nothing_is_published_when_nothing_waits(database, publisher):
    assert publish_stages(database, publisher, WINDOW) == 0


def test_the_window_bounds_what_is_published(database, submit, publisher):
    for number in range(5):
        submit(database, f"a{number}")
    publish_stages(database, publisher, WINDOW)
    assert len(publisher.published) == 2


def test_the_window_grows_with_the_workers_of_the_queue(database, submit, publisher, join_worker):
    for number in range(5):
        submit(database, f"a{number}")
    join_worker(database, "w1", ("prepare", "encode"))
    join_worker(database, "w2", ("prepare",))
    join_worker(database, "w3", ("encode",))
    publish_stages(database, publisher, WINDOW)
    assert len(publisher.published) == 4


def test_routine_goes_before_batch_and_the_oldest_first(database, submit, publisher):
    submit(database, "batch", priority=Priority.BATCH)
    submit(database, "z-first")
    submit(database, "a-second")
    publish_stages(database, publisher, PublishWindow(stages_per_slot=3, worker_timeout=timedelta(seconds=30)))
    expected = [("prepare", stage_of(database, name).id) for name in ("z-first", "a-second", "batch")]
    assert publisher.published == expected


def test_a_delayed_stage_is_not_published_before_it_is_due(database, submit, publisher):
    submit(database)
    with database.writing() as session:
        session.scalars(select(StageRow)).one().not_before = now() + timedelta(seconds=60)
    assert publish_stages(database, publisher, WINDOW) == 0


def test_unpublished_messages_are_published_by_the_next_run(database, submit, publisher):
    submit(database)
    publisher.broken = True
    assert publish_stages(database, publisher, WINDOW) == 0
    publisher.broken = False
    assert publish_stages(database, publisher, WINDOW) == 1


@pytest.mark.parametrize("count", [3])
def test_concurrent_publishers_publish_each_stage_once(database, submit, publisher, count):
    import threading

    for number in range(count):
        submit(database, f"a{number}")
    window = PublishWindow(stages_per_slot=50, worker_timeout=timedelta(seconds=30))
    threads = [threading.Thread(target=publish_stages, args=(database, publisher, window)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(publisher.published) == len(set(publisher.published)) == count


def test_the_window_grows_with_the_slots_of_a_worker(database, submit, publisher, loaded_model):
    for number in range(9):
        submit(database, f"a{number}")
    with database.writing() as session:
        register(session, WorkerIdentity(id="w1", queues=("prepare",), slots=4), loaded_model)
    publish_stages(database, publisher, WINDOW)
    assert len(publisher.published) == 8


def test_a_full_batch_lane_does_not_use_the_routine_window(database, submit, publisher):
    for number in range(5):
        submit(database, f"b{number}", priority=Priority.BATCH)
    publish_stages(database, publisher, WINDOW)
    submit(database, "urgent")
    assert publish_stages(database, publisher, WINDOW) == 1
    assert publisher.published[-1] == ("prepare", stage_of(database, "urgent").id)


def test_tenants_take_turns(database, submit, publisher, stranger):
    for number in range(3):
        submit(database, f"a{number}")
    submit(database, "late", by=stranger)
    publish_stages(database, publisher, WINDOW)
    assert publisher.published == [("prepare", stage_of(database, name).id) for name in ("a0", "late")]


def begin(database, name, model):
    """Let an assessment wait to be encoded with a model."""
    with database.writing() as session:
        session.execute(update(StageRow).where(StageRow.assessment_id == name).values(kind=StageKind.ENCODE))
        session.get(AssessmentRow, name).model_digest = model


def test_stages_that_no_live_worker_can_take_fill_no_window(database, submit, publisher, join_worker):
    for number in range(4):
        submit(database, f"gone{number}")
        begin(database, f"gone{number}", "gone")
    submit(database, "mine")
    begin(database, "mine", "sha256:rehearsal")
    join_worker(database, "w1", ("encode",))
    publish_stages(database, publisher, WINDOW)
    assert publisher.published == [("encode", stage_of(database, "mine").id)]


def test_workers_of_each_model_have_their_own_window(database, submit, publisher, join_worker, loaded_model):
    for number in range(8):
        model = "old" if number < 5 else "sha256:rehearsal"
        submit(database, f"a{number}")
        begin(database, f"a{number}", model)
    join_worker(database, "w1", ("encode",))
    join_worker(database, "w2", ("encode",), replace(loaded_model, digest="old"))
    publish_stages(database, publisher, WINDOW)
    expected = {stage_of(database, name).id for name in ("a0", "a1", "a5", "a6")}
    assert {stage_id for _, stage_id in publisher.published} == expected


def test_without_any_worker_the_stages_of_every_model_are_published(database, submit, publisher):
    submit(database, "one")
    begin(database, "one", "gone")
    assert publish_stages(database, publisher, WINDOW) == 1
