"""Opening the database: SQLite embedded, PostgreSQL in production, one code path above this module."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic, sleep
from typing import Any, TypeVar

from sqlalchemy import Connection, Dialect, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

READING = "hilbert_reading"
COMMITTED = "hilbert_committed"
SWITCH_AGAIN_SECONDS = 0.02
BUSY_TIMEOUT_MS = 30_000
LEAST_POOL_TIMEOUT = timedelta(seconds=10)
KNOCK_AGAIN_SECONDS = 0.2
CHANCE = random.SystemRandom()
NO_PATIENCE = timedelta(0)
Value = TypeVar("Value")


def now() -> datetime:
    """The present moment. Hosts that share a database need synchronised clocks, well within a lease."""
    return datetime.now(UTC)


class Database:
    """Hands out sessions; one per process, made after any fork.

    `patience` is how long it waits for a server that takes no connections, such as one that restarts. Nothing has been
    done then, so waiting is always safe. What was under way when a connection broke is repeated by `read` and `write`
    alone, to which it is given whole.
    """

    def __init__(self, url: str, patience: timedelta = NO_PATIENCE) -> None:
        self._engine = _open_sqlite(url) if url.startswith("sqlite") else _open_server(url, patience)
        self._reading = self._engine.execution_options(**{READING: True})

    @property
    def engine(self) -> Engine:
        """The engine, for migrations."""
        return self._engine

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """One transaction, committed at the end; on SQLite it takes the write lock at once."""
        with Session(self._engine, expire_on_commit=False) as session:
            with session.begin():
                yield session
            for act in session.info.pop(COMMITTED, ()):
                act()

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """One transaction that only reads; on SQLite it never waits for a writer."""
        with Session(self._reading, expire_on_commit=False) as session, session.begin():
            yield session

    def read(self, work: Callable[[Session], Value]) -> Value:
        """What `work` finds in a transaction that only reads; it looks again if the connection breaks under it."""
        return _unless_broken(self.reading, work, work)

    def write(self, work: Callable[[Session], Value], settled: Callable[[Session], Value | None]) -> Value:
        """Run `work` in one transaction, and again in a second one if the connection breaks and nothing was committed.

        A connection that breaks does not tell whether it had: `settled` looks, and returns what `work` would have, or
        None.
        """

        def settle(session: Session) -> Value:
            done = settled(session)
            return work(session) if done is None else done

        return _unless_broken(self.writing, work, settle)

    def ping(self) -> None:
        """Raise SQLAlchemy's error if the database does not answer."""
        with self.reading() as session:
            session.execute(text("select 1"))

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()


def once_committed(session: Session, act: Callable[[], None]) -> None:
    """Let this happen after the session's transaction, and only if it was committed: counting, for one thing."""
    session.info.setdefault(COMMITTED, []).append(act)


def _unless_broken(
    transaction: Callable[[], AbstractContextManager[Session]],
    first: Callable[[Session], Value],
    second: Callable[[Session], Value],
) -> Value:
    """What `first` returns; where its connection breaks, what `second` returns in a transaction of its own."""
    try:
        with transaction() as session:
            return first(session)
    except DBAPIError as error:
        if not error.connection_invalidated:
            raise
    with transaction() as session:
        return second(session)


def _open_server(url: str, patience: timedelta) -> Engine:
    engine = create_engine(
        url,
        pool_pre_ping=True,
        hide_parameters=True,
        pool_size=10,
        pool_timeout=max(patience, LEAST_POOL_TIMEOUT).total_seconds(),
        # Text is text whatever the server's own encoding: one made without a locale answers in bytes otherwise.
        connect_args={"connect_timeout": 5, "client_encoding": "utf8"},
    )

    @event.listens_for(engine, "do_connect")
    def connect(dialect: Dialect, _record: object, arguments: list[Any], options: dict[str, Any]) -> Any:
        deadline = monotonic() + patience.total_seconds()
        while True:
            try:
                return dialect.connect(*arguments, **options)
            except dialect.loaded_dbapi.OperationalError:
                if monotonic() >= deadline:
                    raise
            sleep(KNOCK_AGAIN_SECONDS * CHANCE.uniform(0.5, 1.5))  # not all at once

    return engine


def _open_sqlite(url: str) -> Engine:
    if (file := make_url(url).database) is not None:
        Path(file).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    engine = create_engine(url, hide_parameters=True, connect_args={"timeout": BUSY_TIMEOUT_MS / 1000})

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # the driver opens no transactions: `begin` below does
        connection.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
        _switch_to_wal(connection)
        for pragma in ("synchronous=NORMAL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # A transaction that reads first and writes later cannot wait for the lock: SQLite fails it at once.
        reading = connection.get_execution_options().get(READING, False)
        connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")

    return engine


def _switch_to_wal(connection: Any) -> None:
    """Ask for the write-ahead log; several processes that open a new file at once do not wait but fail, so retry."""
    deadline = monotonic() + BUSY_TIMEOUT_MS / 1000
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError:
            if monotonic() > deadline:
                raise
            sleep(SWITCH_AGAIN_SECONDS)
        else:
            return
