"""Run by Alembic: migrate over the connection that `service.storage.migration` opened."""

from __future__ import annotations

from alembic import context

from service.storage.tables import Table

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Table.metadata,
    # SQLite can alter little of a table in place; in batch mode Alembic copies the table.
    render_as_batch=True,
    compare_type=True,
)
with context.begin_transaction():
    context.run_migrations()
