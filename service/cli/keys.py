"""`hilbert keys`: create, list and revoke API keys."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from service.auth.keys import ApiKeyRepository, load_peppers
from service.cli.settings import exit_with, read_settings

keys_app = typer.Typer(help="Make, list and revoke API keys.", no_args_is_help=True)


@keys_app.command("create")
def create_key(
    name: Annotated[str, typer.Argument(help="What the key is for.")],
    tenant: Annotated[str, typer.Option(help="Whose assessments it may see.")] = "default",
) -> None:
    """Make a key and print it, this once."""
    with _api_keys() as keys:
        typer.echo(keys.issue(name=name, tenant=tenant).secret)


@keys_app.command("list")
def list_keys() -> None:
    """List keys by their visible part."""
    table = Table("id", "tenant", "name", "created", "revoked")
    with _api_keys() as keys:
        for key in keys.all():
            revoked = "" if key.revoked_at is None else f"{key.revoked_at:%Y-%m-%d %H:%M}"
            table.add_row(key.id, key.tenant, key.name, f"{key.created_at:%Y-%m-%d %H:%M}", revoked)
    Console().print(table)


@keys_app.command("revoke")
def revoke_key(
    key_id: Annotated[str, typer.Argument(help="The visible part, as `keys list` shows it.")],
) -> None:
    """End a key's use at once."""
    with _api_keys() as keys:
        if not keys.revoke(key_id):
            exit_with("There is no such key in use; `hilbert keys list` shows all of them.")
    Console().print(f"Key {key_id} is revoked.")


@contextmanager
def _api_keys() -> Iterator[ApiKeyRepository]:
    """The keys in the configured database, which is migrated first: the first key may come before the first start."""
    from service.storage.database import Database
    from service.storage.migration import migrate

    settings = read_settings()
    database = Database(settings.database)
    try:
        migrate(database)
        yield ApiKeyRepository(database, load_peppers(settings))
    finally:
        database.close()
