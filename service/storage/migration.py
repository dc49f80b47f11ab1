"""Bringing a database to the present schema; safe to run from several processes at once."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from pathlib import Path

import structlog
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.exc import OperationalError

from service.storage.database import Database
from service.storage.retry import RetryTerms, retry

log = structlog.stdlib.get_logger(__name__)
LOCK = 7_214_500_361
"""PostgreSQL advisory lock that one migrating process holds."""
LOCK_TIMEOUT = "2s"
"""A statement that waits for a table makes all later ones wait behind it; so it gives way soon and comes again."""
LOCK_NOT_AVAILABLE = "55P03"
RETRY_INTERVAL_SECONDS = 1.0
LOCK_RETRY_TIMEOUT = timedelta(minutes=2)


def migrate(database: Database, retry_timeout: timedelta = LOCK_RETRY_TIMEOUT) -> None:
    """Run every migration that the database has not seen, all of them or none; one that is ahead is left as it is.

    Raises SQLAlchemy's OperationalError when others hold what has to be changed for longer than `retry_timeout`.
    """
    terms = RetryTerms(timeout=retry_timeout, interval=RETRY_INTERVAL_SECONDS)
    retry(partial(_migrate, database), terms, _is_lock_timeout, _log_lock_timeout)


def is_behind(database: Database) -> bool:
    """Whether the database lacks a migration that this code knows."""
    with database.engine.connect() as connection:
        return _is_behind(connection)


def _is_lock_timeout(error: Exception) -> bool:
    return isinstance(error, OperationalError) and getattr(error.orig, "sqlstate", None) == LOCK_NOT_AVAILABLE


def _log_lock_timeout(_error: Exception) -> None:
    log.warning("migration waits for tables that are in use")


def _migrate(database: Database) -> None:
    with database.engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text(f"set local lock_timeout = '{LOCK_TIMEOUT}'"))
            connection.execute(text("select pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
        if _is_behind(connection):
            command.upgrade(alembic_config(connection), "head")


def _is_behind(connection: Connection) -> bool:
    """One that knows a migration that this code does not know is ahead: newer code was here, and expanded it."""
    scripts = ScriptDirectory.from_config(alembic_config(connection))
    revision = MigrationContext.configure(connection).get_current_revision()
    known = {script.revision for script in scripts.walk_revisions()}
    return revision is None or (revision in known and revision != scripts.get_current_head())


def alembic_config(connection: Connection) -> Config:
    """Alembic's configuration for one connection; no alembic.ini is needed."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    return config
