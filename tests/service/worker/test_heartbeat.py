import time
from datetime import timedelta

from service.observability.metrics import REGISTRY
from service.storage.tables import ModelRow, WorkerRow
from service.worker.heartbeat import Heartbeat
from service.worker_registry import WorkerIdentity
from tests.waiting import wait_for

BEAT = timedelta(milliseconds=20)


def row(database):
    with database.reading() as session:
        return session.get(WorkerRow, "w1")


def test_a_worker_sends_heartbeats_until_it_deregisters(database, loaded_model, tmp_path):
    worker = WorkerIdentity(id="w1", queues=("encode",))
    heartbeat = Heartbeat(database, worker, loaded_model, interval=BEAT, file=tmp_path / "data" / "alive")
    heartbeat.start()
    first = row(database)
    assert first.queues == ["encode"]
    wait_for(lambda: row(database).beat_at > first.beat_at)
    assert row(database).forward_at == first.forward_at
    heartbeat.computed()
    wait_for(lambda: row(database).forward_at > first.forward_at)
    heartbeat.stop()
    assert row(database) is None
    assert not (tmp_path / "data" / "alive").exists()
    with database.reading() as session:
        assert session.get(ModelRow, loaded_model.digest).seen_at >= first.beat_at


def test_a_failed_heartbeat_does_not_end_the_thread(sqlite, loaded_model, tmp_path):
    heartbeat = Heartbeat(
        sqlite,
        WorkerIdentity(id="w1", queues=("encode",)),
        loaded_model,
        interval=BEAT,
        file=tmp_path / "data" / "alive",
    )
    heartbeat.start()
    alive = tmp_path / "data" / "alive"
    first, touched = row(sqlite), alive.stat().st_mtime_ns
    with sqlite.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE worker RENAME TO hidden")
    time.sleep(0.1)
    with sqlite.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE hidden RENAME TO worker")
    wait_for(lambda: row(sqlite).beat_at > first.beat_at)
    wait_for(lambda: alive.stat().st_mtime_ns > touched)
    with sqlite.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE worker RENAME TO hidden")
    heartbeat.stop()


def test_the_last_heartbeat_is_a_metric(sqlite, loaded_model, tmp_path):
    worker = WorkerIdentity(id="w1", queues=("encode",))
    heartbeat = Heartbeat(sqlite, worker, loaded_model, interval=BEAT, file=tmp_path / "alive")
    before = time.time()
    heartbeat.start()
    wait_for(lambda: REGISTRY.get_sample_value("hilbert_worker_last_beat_timestamp_seconds") > before)
    heartbeat.stop()


def test_the_file_is_touched_only_after_a_recorded_heartbeat(sqlite, loaded_model, tmp_path):
    alive = tmp_path / "alive"
    heartbeat = Heartbeat(sqlite, WorkerIdentity(id="w1", queues=("encode",)), loaded_model, interval=BEAT, file=alive)
    heartbeat.start()
    with sqlite.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE worker RENAME TO hidden")
    time.sleep(2 * BEAT.total_seconds())
    touched = alive.stat().st_mtime_ns
    time.sleep(5 * BEAT.total_seconds())
    assert alive.stat().st_mtime_ns == touched
    heartbeat.stop()
