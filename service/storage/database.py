"""Opening the database: SQLite embedded, PostgreSQL in production, one code path above this module."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.orm import Session

READING = "hilbert_reading"
SWITCH_AGAIN_SECONDS = 0.02
BUSY_TIMEOUT_MS = 30_000


def now() -> datetime:
    """The present moment. Hosts that share a database need synchronised clocks, well within a lease."""
    return datetime.now(UTC)


class Database:
    """Hands out sessions; one per process, made after any fork."""

    def __init__(self, url: str) -> None:
        self._engine = _open_sqlite(url) if url.startswith("sqlite") else _open_server(url)
        self._reading = self._engine.execution_options(**{READING: True})

    @property
    def engine(self) -> Engine:
        """The engine, for migrations."""
        return self._engine

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """One transaction, committed at the end; on SQLite it takes the write lock at once."""
        with Session(self._engine, expire_on_commit=False) as session, session.begin():
            yield session

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """One transaction that only reads; on SQLite it never waits for a writer."""
        with Session(self._reading, expire_on_commit=False) as session, session.begin():
            yield session

    def ping(self) -> None:
        """Raise SQLAlchemy's error if the database does not answer."""
        with self.reading() as session:
            session.execute(text("select 1"))

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()


def _open_server(url: str) -> Engine:
    return create_engine(
        url,
        pool_pre_ping=True,
        hide_parameters=True,
        pool_size=10,
        pool_timeout=10,
        # Text is text whatever the server's own encoding: one made without a locale answers in bytes otherwise.
        connect_args={"connect_timeout": 5, "client_encoding": "utf8"},
    )


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
