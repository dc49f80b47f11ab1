"""The queue as metrics, asked of the collector of a running application."""

from dataclasses import replace

import pytest

from service.api.queue_metrics import CACHE_SECONDS, QueueMetrics
from service.errors.unavailable import StorageUnavailable
from service.storage.database import Database
from service.task_queue.publisher import BrokerUnreachable


class Broken:
    """A part that does not answer."""

    def __init__(self, error):
        self.error = error

    def check(self):
        raise self.error


@pytest.fixture
def parts(api):
    return api.client.app.state.components


def values(collector):
    """Every sample, by its name and labels."""
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in collector.collect()
        for sample in family.samples
    }


def test_what_waits_and_who_works_can_be_read(api, parts):
    assert api.post(audio=b"RIFF\x00\x00\x00\x00WAVE" + b"x" * 40).status_code == 202
    got = values(QueueMetrics(parts))
    assert got["hilbert_queue_stages", "prepare", "routine", "ready"] == 1
    assert got["hilbert_queue_stages", "encode", "batch", "delayed"] == 0
    assert 0 < got["hilbert_queue_oldest_seconds", "prepare", "routine"] < 60
    assert got["hilbert_queue_oldest_seconds", "score", "routine"] == 0
    assert got["hilbert_assessments_unfinished", "queued", "routine"] == 1
    assert (got["hilbert_deliveries", "ready"], got["hilbert_deliveries_oldest_seconds",]) == (0, 0)
    assert (got["hilbert_workers", "score"], got["hilbert_workers", "deliver"]) == (1, 0)
    assert got["hilbert_worker_slots", "score"] == 1
    assert got["hilbert_model_info", "rehearsal", "1", "rehearsal", "true"] == 1
    assert [got["hilbert_part_up", part] for part in ("database", "queue", "object_store")] == [1, 1, 1]


def test_who_asks_soon_again_gets_what_was_read_before(api, parts):
    time = 0.0
    collector = QueueMetrics(parts, clock=lambda: time)
    before = values(collector)
    api.post(audio=b"RIFF\x00\x00\x00\x00WAVE" + b"x" * 40)
    assert values(collector) == before
    time = CACHE_SECONDS
    assert values(collector)["hilbert_queue_stages", "prepare", "routine", "ready"] == 1


def test_without_its_database_the_queue_is_silent_and_says_so(parts, tmp_path):
    empty = Database(f"sqlite:///{tmp_path / 'empty.sqlite'}")
    got = values(QueueMetrics(replace(parts, database=empty)))
    empty.close()
    assert got == {
        ("hilbert_part_up", "database"): 0,
        ("hilbert_part_up", "queue"): 1,
        ("hilbert_part_up", "object_store"): 1,
    }


def test_an_unreachable_broker_and_store_are_reported_as_down(parts):
    away = replace(parts, publisher=Broken(BrokerUnreachable()), objects=Broken(StorageUnavailable("away")))
    got = values(QueueMetrics(away))
    assert [got["hilbert_part_up", part] for part in ("database", "queue", "object_store")] == [1, 0, 0]
