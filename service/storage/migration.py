"""Schema migration with Alembic; safe to run from several processes at once."""

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
"""PostgreSQL advisory lock of the process that migrates."""
LOCK_TIMEOUT = "2s"
"""A statement that waits for a table lock blocks all later statements on it, so it gives up soon and is retried."""
LOCK_NOT_AVAILABLE = "55P03"
RETRY_INTERVAL_SECONDS = 1.0
LOCK_RETRY_TIMEOUT = timedelta(minutes=2)


def migrate(database: Database, retry_timeout: timedelta = LOCK_RETRY_TIMEOUT) -> None:
    """Run all pending migrations in one transaction; a database of a newer release is left as it is.

    Raises SQLAlchemy's OperationalError when other transactions hold the tables for longer than `retry_timeout`.
    """
    terms = RetryTerms(timeout=retry_timeout, interval=RETRY_INTERVAL_SECONDS)
    retry(partial(_migrate, database), terms, _is_lock_timeout, _log_lock_timeout)


def is_behind(database: Database) -> bool:
    """Whether the database lacks a migration that this release has."""
    with database.engine.connect() as connection:
        return _is_behind(connection)


def _is_lock_timeout(error: Exception) -> bool:
    return isinstance(error, OperationalError) and getattr(error.orig, "sqlstate", None) == LOCK_NOT_AVAILABLE


def _log_lock_timeout(_error: Exception) -> None:
    log.warning("migration waits for tables that are in use")


def _migrate(database: Database) -> None:
    with database.engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            # LOCAL, because the connection returns to the pool with its settings.
            connection.execute(text(f"set local lock_timeout = '{LOCK_TIMEOUT}'"))
            # Bound to the transaction, so a migration that is killed leaves no lock behind.
            connection.execute(text("select pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
        # Asked under the lock, because another process may have migrated while this one waited.
        if _is_behind(connection):
            command.upgrade(alembic_config(connection), "head")


def _is_behind(connection: Connection) -> bool:
    """Whether migrations are pending. A revision unknown to this release is of a newer one, which only expands."""
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
