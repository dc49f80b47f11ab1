import threading
from dataclasses import replace
from datetime import timedelta

from sqlalchemy import select, update

from service.assessments.stages import StageRepository
from service.queue.redelivery import idle_slots
from service.storage.database import now
from service.storage.tables import ModelRow, StageRow, WorkerRow
from service.worker_registry import (
    delete_lost_workers,
    deregister,
    live_workers,
    mark_dead,
    record_heartbeat,
    registered_models,
)

SILENCE = timedelta(seconds=30)


def models(database):
    with database.reading() as session:
        return [registered.model for registered in registered_models(session)]


def ready(database, queue):
    with database.reading() as session:
        return [worker.id for worker in live_workers(session, SILENCE, queue)]


def age(database, table, **columns):
    with database.writing() as session:
        session.execute(update(table).values(**{name: now() - ago for name, ago in columns.items()}))


def test_a_registered_worker_serves_its_queues_and_no_others(database, join_worker):
    join_worker(database, "w1", ("prepare", "score"))
    assert ready(database, "prepare") == ["w1"]
    assert ready(database, "encode") == []


def test_workers_that_start_together_all_register(database, join_worker, loaded_model):
    together, failures = threading.Barrier(4), []

    def start(name):
        together.wait()
        try:
            join_worker(database, name)
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=start, args=(f"w{number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert sorted(ready(database, "encode")) == ["w0", "w1", "w2", "w3"]
    assert models(database) == [loaded_model]


def test_a_worker_without_heartbeats_is_not_live(database, join_worker):
    join_worker(database)
    age(database, WorkerRow, beat_at=timedelta(seconds=31))
    assert ready(database, "encode") == []


def test_a_heartbeat_makes_a_worker_live_again(database, join_worker, loaded_model):
    worker = join_worker(database)
    age(database, WorkerRow, beat_at=timedelta(seconds=31))
    with database.writing() as session:
        record_heartbeat(session, worker, loaded_model, forward=True)
    assert ready(database, "encode") == ["w1"]


def test_a_living_worker_whose_row_was_deleted_as_lost_registers_again(database, join_worker, loaded_model):
    worker = join_worker(database)
    age(database, WorkerRow, beat_at=timedelta(days=2))
    with database.writing() as session:
        delete_lost_workers(session)
        record_heartbeat(session, worker, loaded_model, forward=False)
    assert ready(database, "encode") == ["w1"]


def test_a_worker_without_a_forward_pass_is_not_live(database, join_worker):
    join_worker(database)
    with database.writing() as session:
        session.execute(update(WorkerRow).values(forward_at=None))
    assert ready(database, "encode") == []


def test_a_deregistered_worker_is_deleted(database, join_worker):
    worker = join_worker(database)
    with database.writing() as session:
        deregister(session, worker)
    assert ready(database, "encode") == []


def test_workers_lost_for_a_day_are_deleted(database, join_worker):
    join_worker(database)
    age(database, WorkerRow, beat_at=timedelta(days=2))
    with database.writing() as session:
        delete_lost_workers(session)
        assert session.get(WorkerRow, "w1") is None


def test_the_model_is_registered_once_with_its_tasks(database, join_worker, loaded_model):
    join_worker(database, "w1")
    join_worker(database, "w2")
    assert models(database) == [loaded_model]


def test_models_stay_in_use_while_all_workers_restart(database, join_worker, loaded_model):
    join_worker(database)
    age(database, ModelRow, seen_at=timedelta(hours=5))
    assert models(database) == [loaded_model]


def test_a_replaced_model_leaves_the_list(database, join_worker, loaded_model):
    join_worker(database)
    age(database, ModelRow, seen_at=timedelta(hours=5))
    newer = replace(loaded_model, digest="sha256:newer", version="2")
    join_worker(database, "w2", model=newer)
    assert models(database) == [newer]


def test_without_workers_there_is_no_model(database):
    assert models(database) == []


def test_workers_on_this_host_are_dead_when_their_process_has_exited(database, join_worker):
    for name in ("here-1-aa", "here-2-bb", "elsewhere-2-cc", "here-x-2-dd"):
        join_worker(database, name)
    with database.writing() as session:
        mark_dead(session, "here", {1}.__contains__, SILENCE)
    assert sorted(ready(database, "prepare")) == ["elsewhere-2-cc", "here-1-aa", "here-x-2-dd"]


def test_slots_are_idle_unless_a_stage_is_leased(database, join_worker, submit):
    join_worker(database, "w1", ("prepare", "encode"))
    join_worker(database, "w2", ("encode",))
    submit(database)
    with database.writing() as session:
        StageRepository(session, "w1").claim(session.scalars(select(StageRow.id)).one(), SILENCE, 5)
    with database.reading() as session:
        idle = [idle_slots(session, queue, SILENCE) for queue in ("prepare", "encode", "score")]
    assert idle == [{"sha256:rehearsal": 0}, {"sha256:rehearsal": 1}, {}]
