from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import update

from service.maintenance.coverage import UnservedQueue, unserved_queues
from service.storage.database import now
from service.storage.tables import WorkerRow

SILENCE = timedelta(seconds=30)


@pytest.fixture
def found(database):
    """The gaps, `later` than the silence after all workers have started."""

    def found(*, later=True):
        if later:
            with database.writing() as session:
                session.execute(update(WorkerRow).values(started_at=now() - 2 * SILENCE))
        with database.reading() as session:
            return unserved_queues(session, SILENCE)

    return found


@pytest.fixture
def new_model(loaded_model):
    return replace(loaded_model, digest="new")


def test_a_queue_without_a_worker_is_unserved(database, join_worker, found):
    assert found() == [UnservedQueue(queue="prepare"), UnservedQueue(queue="encode"), UnservedQueue(queue="score")]
    join_worker(database, queues=("prepare", "score"))
    assert found() == [UnservedQueue(queue="encode")]
    join_worker(database, "w2", queues=("encode",))
    assert found() == []


def test_queues_without_the_new_model_are_unserved_during_a_replacement(database, join_worker, new_model, found):
    join_worker(database, "old", queues=("encode", "score"))
    join_worker(database, "new", queues=("prepare", "score"), model=new_model)
    assert found(later=False) == []  # the others may be about to follow
    assert found() == [UnservedQueue(queue="encode", model="new")]
    join_worker(database, "new-too", queues=("encode",), model=new_model)
    assert found() == []


def test_a_model_without_a_prepare_worker_is_not_required(database, join_worker, new_model, found):
    join_worker(database, "new", model=new_model)
    join_worker(database, "old", queues=("encode",))
    assert found() == []


def test_workers_without_a_model_are_not_required_to_share_one(database, join_worker, found):
    join_worker(database)
    join_worker(database, "courier", queues=("deliver",), model=None)
    assert found() == []
