"""The database: SQLite embedded, PostgreSQL in production, with one code path above this module."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Dialect, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from service.storage.retry import RetryTerms, retry

READING = "hilbert_reading"
COMMITTED = "hilbert_committed"
WAL_RETRY_INTERVAL_SECONDS = 0.02
FINAL_STATUSES = {"committed": True, "aborted": False}
"""Statuses of `pg_xact_status` after which a transaction does not change any more, and whether it was committed."""
# The largest batch holds SQLite's one write lock for seconds, and every other writer waits (decision 0030).
BUSY_TIMEOUT_MS = 30_000
MIN_POOL_TIMEOUT = timedelta(seconds=10)
RETRY_INTERVAL_SECONDS = 0.2
IDLE_IN_TRANSACTION_TIMEOUT = timedelta(minutes=1)
"""PostgreSQL ends a transaction that is idle for this long: its host may have died, and its locks block all others."""
NO_RETRY = timedelta(0)
Value = TypeVar("Value")


def now() -> datetime:
    """The present moment in UTC. Hosts that share a database need clocks that agree to well within a lease."""
    return datetime.now(UTC)


class Database:
    """Hands out sessions; one per process, created after any fork.

    `retry_timeout` is how long to wait for a server that accepts no connections, such as one that restarts. No work has
    been done at that point, so waiting is always safe. When a connection breaks in the middle of a transaction, only
    `read` and `write` repeat the work, because they are given the whole of it: the work may run twice, and its last
    run decides what it leaves in memory.
    """

    def __init__(self, url: str, retry_timeout: timedelta = NO_RETRY) -> None:
        self._retry_timeout = retry_timeout
        self._engine = _open_sqlite(url) if url.startswith("sqlite") else _open_server(url, retry_timeout)
        self._reading = self._engine.execution_options(**{READING: True})

    @property
    def engine(self) -> Engine:
        """The engine, for migrations."""
        return self._engine

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """A transaction, committed at the end of the block; on SQLite it takes the write lock at the start."""
        # Rows stay readable after the commit; an expired one would begin another transaction when it is read.
        with Session(self._engine, expire_on_commit=False) as session:
            with session.begin():
                yield session
            # Behind the block that commits, so that a transaction that was rolled back counts nothing (decision 0033).
            _run_after_commit(session)

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A transaction that only reads; on SQLite it never waits for a writer."""
        with Session(self._reading, expire_on_commit=False) as session, session.begin():
            yield session

    def read(self, work: Callable[[Session], Value]) -> Value:
        """The value of `work` in a transaction that only reads; runs it once more if the connection breaks."""
        try:
            with self.reading() as session:
                return work(session)
        except DBAPIError as error:
            if not error.connection_invalidated:
                raise
        with self.reading() as session:
            return work(session)

    def write(self, work: Callable[[Session], Value]) -> Value:
        """Run `work` in one transaction, and once more if the connection breaks and nothing was committed.

        A connection that breaks during the commit leaves open whether it happened, so the database is asked for the
        status of the transaction. If it was committed, the first value of `work` holds: `work` returns values and no
        rows. Raises SQLAlchemy's error when the status stays unknown or the second transaction breaks too.
        """
        number = None
        try:
            with self.writing() as session:
                value = work(session)
                # Flushed before the id is asked for: a transaction gets its id with its first write.
                session.flush()
                number = _transaction_id(session)
            return value
        except DBAPIError as error:
            if not error.connection_invalidated:
                raise
            # Without a number nothing was committed, so running again is safe (decision 0044).
            if number is not None and self._was_committed(number, error):
                # Committed, although the answer was lost: its events happened and are counted now.
                _run_after_commit(session)
                return value
        with self.writing() as session:
            return work(session)

    def _was_committed(self, number: str, broken: DBAPIError) -> bool:
        """Whether the transaction was committed; waits while it is in progress. Raises the error that broke it."""

        def final_status() -> bool:
            status = self.read(partial(_transaction_status, number))
            if status not in FINAL_STATUSES:
                raise broken
            return FINAL_STATUSES[status]

        terms = RetryTerms(timeout=self._retry_timeout, interval=RETRY_INTERVAL_SECONDS)
        return retry(final_status, terms, lambda error: error is broken)

    def ping(self) -> None:
        """Raise SQLAlchemy's error if the database does not answer."""
        with self.reading() as session:
            session.execute(text("select 1"))

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()


def after_commit(session: Session, act: Callable[[], None]) -> None:
    """Call `act` after the session's transaction, and only if it was committed: metrics are counted this way.

    `act` must hold values and no rows: rows are void when the commit got no answer.
    """
    session.info.setdefault(COMMITTED, []).append(act)


def _run_after_commit(session: Session) -> None:
    for act in session.info.pop(COMMITTED, ()):
        act()


def _transaction_id(session: Session) -> str | None:
    """PostgreSQL's id of a transaction that has written; None without a write, and on SQLite, which has no network."""
    if session.get_bind().dialect.name != "postgresql":
        return None
    number: str | None = session.scalar(text("select cast(pg_current_xact_id_if_assigned() as text)"))
    return number


def _transaction_status(number: str, session: Session) -> str | None:
    """PostgreSQL's status of a transaction; None when it is too old to be known."""
    status: str | None = session.scalar(text("select pg_xact_status(cast(:number as xid8))"), {"number": number})
    return status


def _open_server(url: str, retry_timeout: timedelta) -> Engine:
    engine = create_engine(
        url,
        # The server may have restarted while a connection was idle; this finds out before any work is lost.
        pool_pre_ping=True,
        # Parameters hold what clients sent, and would stand in the messages of errors.
        hide_parameters=True,
        pool_size=10,
        # While the server is away the pool's connections are being retried, so waiting for one takes as long.
        pool_timeout=max(retry_timeout, MIN_POOL_TIMEOUT).total_seconds(),
        # A cluster that was created without a locale has the encoding SQL_ASCII and would return bytes for text.
        connect_args={"connect_timeout": 5, "client_encoding": "utf8"},
    )

    @event.listens_for(engine, "do_connect")
    def connect(dialect: Dialect, _record: object, arguments: list[Any], options: dict[str, Any]) -> Any:
        # All processes lose a restarting server at the same moment: jitter keeps them from coming back together.
        terms = RetryTerms(timeout=retry_timeout, interval=RETRY_INTERVAL_SECONDS, jitter=0.5)
        refused = dialect.loaded_dbapi.OperationalError
        return retry(partial(dialect.connect, *arguments, **options), terms, lambda error: isinstance(error, refused))

    @event.listens_for(engine, "connect")
    def bound(connection: Any, _record: object) -> None:
        # Outside of a transaction, whose rollback would undo the SET.
        connection.autocommit = True
        connection.execute(
            f"SET idle_in_transaction_session_timeout = {IDLE_IN_TRANSACTION_TIMEOUT // timedelta(milliseconds=1)}"
        )
        connection.autocommit = False

    return engine


def _open_sqlite(url: str) -> Engine:
    if (file := make_url(url).database) is not None:
        # The file holds clients' references and the secrets that webhooks are signed with (decision 0024).
        Path(file).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    engine = create_engine(url, hide_parameters=True, connect_args={"timeout": BUSY_TIMEOUT_MS / 1000})

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # the driver must not open transactions: `begin` below does
        connection.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
        _switch_to_wal(connection)
        # With a write-ahead log NORMAL cannot damage the file, but a loss of power may undo the last commits. SQLite
        # checks foreign keys and cascades deletions only where each connection asks for it.
        for pragma in ("synchronous=NORMAL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # SQLite fails a transaction that reads first and then waits for the write lock, so writers take it at once.
        reading = connection.get_execution_options().get(READING, False)
        connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")

    return engine


def _switch_to_wal(connection: Any) -> None:
    """Switch to the write-ahead log.

    SQLite ignores the busy timeout here: of several processes that open a new file at once, all but one fail at once.
    """
    terms = RetryTerms(timeout=timedelta(milliseconds=BUSY_TIMEOUT_MS), interval=WAL_RETRY_INTERVAL_SECONDS)
    switch = partial(connection.execute, "PRAGMA journal_mode=WAL")
    retry(switch, terms, lambda error: isinstance(error, sqlite3.OperationalError))
