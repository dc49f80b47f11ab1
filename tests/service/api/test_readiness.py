import pytest
from sqlalchemy import text

from service.api.readiness import Readiness
from service.storage.database import Database
from service.storage.migration import migrate
from tests.waiting import wait_for


@pytest.fixture
def readiness():
    made = []

    def readiness(database):
        made.append(Readiness(database))
        made[-1].start()
        return made[-1]

    yield readiness
    for one in made:
        one.stop()


def reasons(readiness):
    return [(field.location, field.reason) for field in readiness.missing()]


def test_a_process_is_ready_once_it_has_met_its_database(database, readiness):
    waiting = readiness(database)
    wait_for(lambda: reasons(waiting) == [])


def test_it_is_not_ready_before_the_database_is_migrated(tmp_path, readiness):
    database = Database(f"sqlite:///{tmp_path / 'late.sqlite'}")
    waiting = readiness(database)
    assert [location for location, _ in reasons(waiting)] == ["database"]
    migrate(database)
    wait_for(lambda: reasons(waiting) == [])
    database.close()


def test_a_database_that_is_ahead_of_the_code_is_fine(sqlite, readiness):
    with sqlite.writing() as session:
        session.execute(text("update alembic_version set version_num = '9999'"))
    waiting = readiness(sqlite)
    wait_for(lambda: reasons(waiting) == [])


def test_a_process_that_stops_is_not_ready(sqlite, readiness):
    stopping = readiness(sqlite)
    stopping.drain()
    assert reasons(stopping) == [("process", "is stopping")]
