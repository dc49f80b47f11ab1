"""Migrations expand, so that the release before goes on working beside the new one; contracting is declared."""

import ast
import threading
from datetime import timedelta
from pathlib import Path

import pytest
from alembic import command
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from service.storage import migration
from service.storage.database import Database
from service.storage.migration import migrate

VERSIONS = sorted((Path(migration.__file__).parent / "migrations" / "versions").glob("*.py"))
BEFORE_THE_RULE = ("0001", "0002")
EXPANDING = {"batch_alter_table", "create_table", "create_index", "add_column", "f"}
TARGETS = {"op", "batch_op"}


def objections(source: str) -> list[str]:
    """What in a migration's `upgrade` could break the code of the release before; nothing where it is declared."""
    module = ast.parse(source)
    if any(isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "contract" for node in module.body):
        return []
    (upgrade,) = (node for node in module.body if isinstance(node, ast.FunctionDef) and node.name == "upgrade")
    targets = TARGETS | {
        item.optional_vars.id
        for node in ast.walk(upgrade)
        if isinstance(node, ast.With)
        for item in node.items
        if isinstance(item.optional_vars, ast.Name)
    }
    calls = [
        node
        for node in ast.walk(upgrade)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id in targets
    ]
    return [reason for call in calls if (reason := objection(call))]


def objection(call: ast.Call) -> str | None:
    assert isinstance(call.func, ast.Attribute)
    verb = call.func.attr
    if verb not in EXPANDING:
        return f"{verb} is no expansion"
    if verb == "create_index" and any(word.arg == "unique" and ast.literal_eval(word.value) for word in call.keywords):
        return "a unique index refuses what the release before may write"
    if verb == "add_column":
        column = next(
            node for node in ast.walk(call) if isinstance(node, ast.Call) and "Column" in ast.unparse(node.func)
        )
        options = {word.arg: ast.unparse(word.value) for word in column.keywords}
        if options.get("nullable") != "True" and "server_default" not in options:
            return "the release before does not fill the new column: let it be null, or give it a server_default"
    return None


def migration_of(line: str, top: str = "") -> str:
    return f"import sqlalchemy as sa\nfrom alembic import op\n{top}\ndef upgrade():\n    {line}\n"


@pytest.mark.parametrize(
    "path", [path for path in VERSIONS if path.stem[:4] not in BEFORE_THE_RULE], ids=lambda p: p.stem
)
def test_a_migration_expands_or_says_which_release_needs_no_longer_what_it_takes_away(path):
    assert objections(path.read_text()) == []


@pytest.mark.parametrize(
    "line",
    [
        'op.drop_table("stage")',
        'op.drop_column("stage", "owner")',
        'op.alter_column("stage", "owner", nullable=False)',
        'op.rename_table("stage", "stages")',
        'op.execute("delete from stage")',
        'op.create_unique_constraint("one", "stage", ["owner"])',
        'op.create_index("one", "stage", ["owner"], unique=True)',
        'op.add_column("stage", sa.Column("name", sa.String(), nullable=False))',
        'op.add_column("stage", sa.Column("name", sa.String()))',
        'with op.batch_alter_table("stage") as stage: stage.drop_column("owner")',
    ],
)
def test_changes_that_break_the_previous_release_must_be_declared(line):
    assert objections(migration_of(line))
    assert objections(migration_of(line, 'contract = "0.3.0"')) == []


@pytest.mark.parametrize(
    "line",
    [
        'op.create_table("new", sa.Column("id", sa.String(), nullable=False))',
        'op.create_index(op.f("one"), "stage", ["owner"], unique=False)',
        'op.add_column("stage", sa.Column("name", sa.String(), nullable=True))',
        'op.add_column("stage", sa.Column("name", sa.String(), nullable=False, server_default=""))',
        'with op.batch_alter_table("stage") as stage: stage.add_column(sa.Column("name", sa.String(), nullable=True))',
    ],
)
def test_expanding_changes_are_allowed(line):
    assert objections(migration_of(line)) == []


@pytest.fixture
def empty(request, postgresql):
    database = Database(postgresql.create_database(f"empty_{abs(hash(request.node.name)) % 10**8}"))
    yield database
    database.close()


def test_processes_that_migrate_at_once_migrate_once(empty):
    failures = []

    def run():
        try:
            migrate(empty)
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    with empty.reading() as session:
        assert session.scalar(text("select count(*) from alembic_version")) == 1


def test_a_migration_behind_a_long_transaction_gives_way_and_changes_nothing(empty, monkeypatch):
    monkeypatch.setattr(migration, "LOCK_TIMEOUT", "100ms")
    migrate(empty)
    with empty.engine.begin() as connection:
        command.downgrade(migration.alembic_config(connection), "0002")
    with empty.reading() as long:
        long.execute(text("select * from stage"))
        with pytest.raises(OperationalError):
            migrate(empty, timedelta(seconds=0.2))
    with empty.reading() as session:
        assert session.scalar(text("select version_num from alembic_version")) == "0002"
    migrate(empty)
