import time
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from service.assessments.stages import StageRepository
from service.errors.tree import FenceLost
from service.storage.database import now
from service.storage.tables import StageRow
from service.worker.lease_keeper import LeaseKeeper
from tests.waiting import wait_for

BEAT = timedelta(milliseconds=20)
LEASE = timedelta(seconds=60)


@pytest.fixture
def claim(database, submit):
    submit(database)
    with database.writing() as session:
        stage_id = session.scalars(select(StageRow.id)).one()
        return StageRepository(session, "w1").claim(stage_id, timedelta(milliseconds=100), 5)


def keeper(database, claim):
    return LeaseKeeper(database, claim, worker="w1", lease=LEASE, renew_interval=BEAT)


def lease_until(database):
    with database.reading() as session:
        return session.scalars(select(StageRow.lease_until)).one()


def test_the_lease_is_renewed_while_the_block_runs(database, claim):
    with keeper(database, claim) as lease:
        wait_for(lambda: lease_until(database) > now() + timedelta(seconds=30))
        lease.check()


def test_a_lost_stage_is_noticed(database, claim):
    with keeper(database, claim) as lease:
        with database.writing() as session:
            session.execute(update(StageRow).values(state="cancelled"))

        def lost():
            try:
                lease.check()
            except FenceLost:
                return True
            return False

        wait_for(lost)


def test_listeners_are_called_on_a_loss_and_when_they_register_after_it(sqlite, submit):
    submit(sqlite)
    with sqlite.writing() as session:
        claim = StageRepository(session, "w1").claim(session.scalars(select(StageRow.id)).one(), LEASE, 5)
    calls = []
    with keeper(sqlite, claim) as lease:
        lease.on_lost(lambda: calls.append("while it runs"))
        with sqlite.writing() as session:
            session.execute(update(StageRow).values(state="cancelled"))
        wait_for(lambda: calls == ["while it runs"])
        lease.on_lost(lambda: calls.append("at once"))
    assert calls == ["while it runs", "at once"]


def test_the_thread_ends_with_the_block(sqlite, submit):
    submit(sqlite)
    with sqlite.writing() as session:
        claim = StageRepository(session, "w1").claim(session.scalars(select(StageRow.id)).one(), LEASE, 5)
    with keeper(sqlite, claim) as lease:
        pass
    assert not lease._thread._thread.is_alive()


def test_a_failed_renewal_does_not_end_the_lease(sqlite, submit):
    submit(sqlite)
    with sqlite.writing() as session:
        claim = StageRepository(session, "w1").claim(session.scalars(select(StageRow.id)).one(), LEASE, 5)
        session.execute(update(StageRow).values(lease_until=now()))
    with sqlite.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE stage RENAME TO hidden")
    with keeper(sqlite, claim) as lease:
        time.sleep(0.1)
        with sqlite.engine.begin() as connection:
            connection.exec_driver_sql("ALTER TABLE hidden RENAME TO stage")
        wait_for(lambda: lease_until(sqlite) > now() + timedelta(seconds=30))
        lease.check()
