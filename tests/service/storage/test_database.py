import threading
from datetime import UTC, datetime, timedelta, timezone

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError, OperationalError, StatementError

from service.storage.database import Database, after_commit, now
from service.storage.migration import migrate
from service.storage.tables import ApiKeyRow, StageRow, Table


def key(created_at, key_id="abcdefgh"):
    return ApiKeyRow(id=key_id, tenant="t", name="n", digest="d", pepper_version=1, created_at=created_at)


def test_the_migrations_make_exactly_the_tables_of_the_code(database):
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Table.metadata) == []


def test_migrating_twice_changes_nothing(database):
    migrate(database)
    with database.reading() as session:
        assert session.scalars(select(ApiKeyRow)).all() == []


def test_processes_that_migrate_at_once_agree(tmp_path):
    url = f"sqlite:///{tmp_path / 'new.sqlite'}"
    databases = [Database(url) for _ in range(3)]
    failures = []

    def run(database):
        try:
            migrate(database)
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=run, args=(database,)) for database in databases]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for database in databases:
        database.close()
    assert failures == []


def test_moments_are_read_in_utc(database):
    moment = datetime(2026, 3, 2, 12, 0, 0, 123456, tzinfo=timezone(timedelta(hours=2)))
    with database.writing() as session:
        session.add(key(moment))
    with database.reading() as session:
        read = session.scalars(select(ApiKeyRow)).one().created_at
    assert read == moment
    assert read.utcoffset() == timedelta(0)


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_the_time_zone_of_the_server_does_not_matter(database_url):
    """A client may be told of moments by formats that know UTC alone."""
    database = Database(f"{database_url}?options=-c%20timezone%3DAmerica%2FHalifax")
    moment = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)
    try:
        with database.writing() as session:
            session.add(key(moment))
        with database.reading() as session:
            read = session.scalars(select(ApiKeyRow)).one().created_at
    finally:
        database.close()
    assert read == moment
    assert read.tzinfo is UTC


def test_a_moment_without_a_zone_is_refused(database):
    zoneless = datetime(2026, 3, 2, 12, 0, tzinfo=UTC).replace(tzinfo=None)
    with pytest.raises(StatementError, match="needs its zone"), database.writing() as session:
        session.add(key(zoneless))


def test_moments_are_compared_as_moments(database):
    earlier, later = datetime(2026, 3, 2, 9, 59, tzinfo=UTC), datetime(2026, 3, 2, 10, 0, tzinfo=UTC)
    with database.writing() as session:
        session.add(key(earlier))
    with database.reading() as session:
        assert session.scalars(select(ApiKeyRow).where(ApiKeyRow.created_at < later)).one().id == "abcdefgh"


def test_a_failed_block_leaves_nothing(database):
    def fail():
        with database.writing() as session:
            session.add(key(now()))
            session.flush()
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    with database.reading() as session:
        assert session.scalars(select(ApiKeyRow)).all() == []


def test_a_stage_without_its_assessment_is_refused(database):
    stage = StageRow(
        id="s", assessment_id="nowhere", kind="prepare", index=0, state="ready", segments=0, fence=0, attempt=0
    )
    stage.created_at = now()
    with pytest.raises(IntegrityError), database.writing() as session:
        session.add(stage)


def test_writers_wait_for_each_other(database):
    """Read, then write, in two threads: neither may fail and no increment may be lost."""
    with database.writing() as session:
        session.add(key(now()))

    def increment():
        for _ in range(10):
            with database.writing() as session:
                row = session.scalars(select(ApiKeyRow).with_for_update()).one()
                row.pepper_version += 1

    threads = [threading.Thread(target=increment) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with database.reading() as session:
        assert session.scalars(select(ApiKeyRow)).one().pepper_version == 21


def test_reading_does_not_wait_for_a_writer(database):
    with database.writing() as session:
        session.add(key(now()))
        session.flush()
        with database.reading() as other:
            assert other.scalars(select(ApiKeyRow)).all() == []


def test_ping_is_silent_when_the_database_answers(database):
    database.ping()


class Knocks:
    """A server that takes no connections at first."""

    def __init__(self, database, refusals):
        self.dialect, self.refusals, self.count = database.engine.dialect, refusals, 0
        self.connect, self.dialect.connect = self.dialect.connect, self

    def __call__(self, *arguments, **options):
        self.count += 1
        if self.count <= self.refusals:
            raise self.dialect.loaded_dbapi.OperationalError("the database system is starting up")
        return self.connect(*arguments, **options)


def test_connecting_is_retried_while_the_server_starts(postgres_url):
    database = Database(postgres_url, timedelta(seconds=20))
    knocks = Knocks(database, refusals=3)
    database.ping()
    database.close()
    assert knocks.count >= 4


def test_connecting_is_retried_until_the_timeout_and_not_at_all_by_default(postgres_url):
    for patience in (timedelta(seconds=0.3), timedelta(0)):
        database = Database(postgres_url, patience)
        knocks = Knocks(database, refusals=1000)
        with pytest.raises(OperationalError):
            database.ping()
        assert (knocks.count > 1) == bool(patience)
        database.close()


def test_after_commit_runs_once_and_only_after_the_commit(sqlite):
    done = []
    with sqlite.writing() as session:
        after_commit(session, lambda: done.append("committed"))
        assert done == []
    assert done == ["committed"]


def test_after_commit_does_not_run_after_a_rollback(sqlite):
    done = []

    def stumble():
        with sqlite.writing() as session:
            after_commit(session, lambda: done.append("committed"))
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        stumble()
    with sqlite.writing():
        pass
    assert done == []
