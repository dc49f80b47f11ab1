"""Connections to a real PostgreSQL that end in the middle of a transaction, as they do when it restarts."""

from datetime import timedelta
from threading import Timer

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError

from service.storage.database import Database, after_commit, now
from service.storage.tables import ApiKeyRow
from tests.wire import Break


def key(name):
    return ApiKeyRow(id="abcdefgh", tenant="t", name=name, digest="d", pepper_version=1, created_at=now())


@pytest.fixture
def names(emptied):
    """Of the keys in the database, seen by a connection that nothing happens to."""
    database = Database(emptied)

    def names():
        with database.reading() as session:
            return session.scalars(select(ApiKeyRow.name)).all()

    yield names
    database.close()


@pytest.fixture
def told():
    return []


@pytest.fixture
def add(told):
    """Adds a key named after the try, and tells of it once that is committed."""
    tries: list[str] = []

    def add(session):
        tries.append(f"try {len(tries) + 1}")
        session.add(key(tries[-1]))
        after_commit(session, lambda: told.append("told"))
        return tries[-1]

    return add


class Look:
    """Writes nothing, and knows how often it was run."""

    def __init__(self):
        self.tries = 0

    def __call__(self, session):
        self.tries += 1
        return session.scalar(text("select 42"))


@pytest.fixture
def look():
    return Look()


def test_a_broken_read_is_repeated(far_database, wire, look):
    wire.break_at(1, Break.LOST)
    assert (far_database.read(look), look.tries) == (42, 2)


def test_a_broken_write_is_repeated(far_database, add, names, told):
    def cut(session):
        added = add(session)
        if added == "try 1":
            process = session.scalar(text("select pg_backend_pid()"))
            with far_database.engine.connect() as other:
                other.execute(text("select pg_terminate_backend(:process, 10000)"), {"process": process})
        return added

    assert (far_database.write(cut), names(), told) == ("try 2", ["try 2"], ["told"])


@pytest.mark.parametrize("how", [Break.LOST, Break.UNANSWERED])
def test_the_status_of_a_broken_commit_is_queried(far_database, wire, add, names, how):
    wire.break_at(1, how)
    kept = "try 2" if how is Break.LOST else "try 1"
    assert (far_database.write(add), names()) == (kept, [kept])


def test_a_commit_in_progress_is_waited_for(far_database, wire, add, names, told):
    wire.break_at(1, Break.LATE)
    arrives = Timer(0.5, wire.release)
    arrives.start()
    assert (far_database.write(add), names(), told) == ("try 1", ["try 1"], ["told"])
    arrives.join()


def test_a_commit_of_unknown_status_raises_and_is_not_repeated(wire, add, names, told):
    hasty = Database(wire.url, timedelta(seconds=0.3))
    wire.break_at(1, Break.LATE)
    with pytest.raises(OperationalError):
        hasty.write(add)
    assert (names(), told) == ([], [])
    hasty.close()


def test_a_second_break_raises(far_database, wire, add, names):
    def twice(session):
        wire.break_at(1, Break.LOST)
        return add(session)

    with pytest.raises(OperationalError):
        far_database.write(twice)
    assert names() == []


def test_a_transaction_without_a_write_is_repeated(far_database, wire, look):
    wire.break_at(1, Break.UNANSWERED)
    assert (far_database.write(look), look.tries) == (42, 2)


def test_locks_of_an_idle_transaction_are_released(emptied, names, monkeypatch):
    monkeypatch.setattr("service.storage.database.IDLE_IN_TRANSACTION_TIMEOUT", timedelta(seconds=0.5))
    silent, other = Database(emptied), Database(emptied)

    def fall_silent():
        with silent.writing() as session:
            session.add(key("silent"))
            session.flush()
            other.write(lambda session: session.add(key("other")))  # waits for the one of the same id

    with pytest.raises(DBAPIError):
        fall_silent()
    assert names() == ["other"]
    silent.close()
    other.close()


def test_errors_of_the_statement_are_not_repeated(far_database, names):
    tries = []

    def add(session):
        tries.append(session)
        session.add(key("only"))

    far_database.write(add)
    with pytest.raises(IntegrityError):
        far_database.write(add)
    assert (names(), len(tries)) == (["only"], 2)
