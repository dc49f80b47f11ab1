"""Bringing a database to the present schema; safe to run from several processes at once."""

from __future__ import annotations

from pathlib import Path

import structlog
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, text

from service.storage.database import Database

log = structlog.stdlib.get_logger(__name__)

LOCK = 7_214_500_361
"""PostgreSQL advisory lock that one migrating process holds."""


def migrate(database: Database) -> None:
    """Run every migration that the database has not seen.

    A database that a newer release has migrated is left as it is: its migrations only added to what this one uses, so
    a release that is rolled back starts.
    """
    with database.engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("select pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
        config = alembic_config(connection)
        if (newer := _unknown_revision(connection, config)) is not None:
            log.warning("the database is of a newer release and is left as it is", revision=newer)
            return
        command.upgrade(config, "head")


def _unknown_revision(connection: Connection, config: Config) -> str | None:
    """The revision that the database is at, where this release does not know it."""
    revision = MigrationContext.configure(connection).get_current_revision()
    try:
        ScriptDirectory.from_config(config).get_revision(revision or "base")
    except CommandError:
        return revision
    return None


def alembic_config(connection: Connection) -> Config:
    """Alembic's configuration for one connection; no alembic.ini is needed."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    return config
