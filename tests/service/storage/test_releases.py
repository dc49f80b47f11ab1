"""Databases of earlier releases, as their own code has left them, brought to the present schema."""

import json
import sqlite3
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from pydantic import SecretStr
from sqlalchemy import MetaData, inspect, select, text

from service.assessments.repository import AssessmentRepository
from service.auth.keys import ApiKeyRepository, load_peppers
from service.batches.repository import BatchRepository
from service.idempotency import CompletedRequest, acquire_key
from service.settings import Settings
from service.storage.database import Database
from service.storage.migration import is_behind, migrate
from service.storage.tables import AssessmentRow, StageRow
from service.webhooks.repository import WebhookRepository
from service.worker.stage_runner import StageRunner, stage_retry_policy
from service.worker_registry import WorkerIdentity

HERE = Path(__file__).parent / "releases"
RELEASES = sorted(path.name for path in HERE.iterdir() if path.is_dir())


@pytest.fixture(params=[(release, kind) for release in RELEASES for kind in ("sqlite", "postgresql")], ids="-".join)
def old(request, tmp_path):
    """The database of a release, and what is known to be in it."""
    release, kind = request.param
    dump, expected = (HERE / release / f"{kind}.{ending}" for ending in ("sql", "json"))
    if kind == "sqlite":
        url = f"sqlite:///{tmp_path / 'old.sqlite'}"
        connection = sqlite3.connect(tmp_path / "old.sqlite")
        connection.executescript(dump.read_text())
        connection.close()
    else:
        name = f"release_{release.replace('.', '_')}_{request.node.name[:20].strip('_')}".lower()
        url = request.getfixturevalue("postgresql").create_database(name)
        with psycopg.connect(url.replace("+psycopg", "")) as server:
            server.execute(dump.read_text())
    database = Database(url)
    yield database, json.loads(expected.read_text())
    database.close()


def test_everything_can_be_read_after_the_migration(old, caller):
    database, expected = old
    assert is_behind(database)
    migrate(database)
    assert not is_behind(database)
    with database.reading() as session:
        assessments = AssessmentRepository(session, caller)
        states = {
            assessment.id: str(assessment.state)
            for assessment in assessments.page(limit=100, cursor=None, state=None).items
        }
        assert states == expected["states"]
        assert assessments.get("a-failed").failure.code == "internal_error"
        assert BatchRepository(session, caller).get("b-finished").state == "finished"
        assert [webhook.url for webhook in WebhookRepository(session, caller).all()] == ["https://clinic.example/hook"]
    earlier = acquire_key(database, caller, "key-1", "POST /v1/assessments", timedelta(seconds=1))
    assert isinstance(earlier, CompletedRequest)
    assert earlier.response.status == 202


def test_api_keys_keep_working(old):
    database, expected = old
    migrate(database)
    settings = Settings(peppers={1: SecretStr(expected["pepper"])})
    assert ApiKeyRepository(database, load_peppers(settings)).verify(expected["key"]).tenant == "ward-a"


def test_pending_assessments_are_completed(old, objects, model, tmp_path, caller):
    database, _ = old
    migrate(database)
    worker = WorkerIdentity(id="w1", queues=("prepare", "encode", "score"))
    runner = StageRunner(
        database, objects, model, worker=worker, retry=stage_retry_policy(Settings()), scratch=tmp_path
    )
    with database.reading() as session:
        objects.write(session.get(AssessmentRow, "a-queued").audio_key, b"x" * 320)
        stage = session.scalar(select(StageRow.id).where(StageRow.assessment_id == "a-queued"))
    after = None
    while runner.run(stage, after) == "a-queued":
        after = "a-queued"
    with database.reading() as session:
        assert AssessmentRepository(session, caller).get("a-queued").state == "succeeded"


def test_the_previous_release_can_insert_while_processes_are_replaced(old):
    database, _ = old
    metadata = MetaData()
    with database.engine.connect() as connection:
        tables = [name for name in inspect(connection).get_table_names() if name != "alembic_version"]
        metadata.reflect(connection, only=tables)
        rows = {table: connection.execute(table.select()).mappings().all() for table in metadata.sorted_tables}
    migrate(database)
    with database.writing() as session:
        for table in reversed(metadata.sorted_tables):
            session.execute(table.delete())
        for table in metadata.sorted_tables:
            for row in rows[table]:
                session.execute(table.insert().values(**row))
    assert sum(map(len, rows.values())) > 50


def test_a_database_of_a_newer_release_is_not_migrated(old):
    database, _ = old
    with database.writing() as session:
        session.execute(text("update alembic_version set version_num = 'of a later release'"))
    migrate(database)
    assert "model_digest" not in {column["name"] for column in inspect(database.engine).get_columns("assessment")}
