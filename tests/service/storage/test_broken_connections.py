"""Connections that a real PostgreSQL ends in the middle of a transaction, as it does when it restarts."""

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError, OperationalError

from service.storage.database import now
from service.storage.tables import ApiKeyRow

pytestmark = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


def key(name):
    return ApiKeyRow(id="abcdefgh", tenant="t", name=name, digest="d", pepper_version=1, created_at=now())


def names(session):
    return session.scalars(select(ApiKeyRow.name)).all()


def found(session):
    return session.scalars(select(ApiKeyRow.name)).one_or_none()


@pytest.fixture
def work(database, cut):
    """Adds a key and returns the name; the first `breaks` times its connection ends, committed before or not."""

    def work(*, breaks=1, committed=False):
        tries = []

        def run(session):
            tries.append(session)
            session.add(key(f"try {len(tries)}"))
            session.flush()
            if len(tries) <= breaks:
                cut(session, committed=committed)
            return f"try {len(tries)}"

        return run

    return work


def test_what_was_read_is_read_again(database, cut):
    tries = []

    def look(session):
        tries.append(session)
        if len(tries) == 1:
            cut(session)
        return session.scalar(text("select 42"))

    assert database.read(look) == 42
    assert len(tries) == 2


def test_what_was_not_committed_is_written_again(database, work):
    assert database.write(work(), found) == "try 2"
    with database.reading() as session:
        assert names(session) == ["try 2"]


def test_what_was_committed_is_not(database, work):
    assert database.write(work(committed=True), found) == "try 1"
    with database.reading() as session:
        assert names(session) == ["try 1"]


def test_a_second_break_is_told(database, work):
    with pytest.raises(OperationalError):
        database.write(work(breaks=2), found)
    with database.reading() as session:
        assert names(session) == []


def test_what_the_database_refuses_is_not_repeated(database, work):
    database.write(work(breaks=0), found)
    again = work(breaks=0)
    with pytest.raises(IntegrityError):
        database.write(again, found)
    with database.reading() as session:
        assert names(session) == ["try 1"]
