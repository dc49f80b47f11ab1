"""Requests that write, whose connection to a real PostgreSQL ends at one of their commits: they happen once."""

from dataclasses import replace

import pytest
from sqlalchemy import func, select, update
from starlette.testclient import TestClient

from service.admission.admission import AdmissionController, admission_limits
from service.admission.queue_position import QueuePositions
from service.api.app import create_app
from service.assessments.lifecycle import finish
from service.assessments.states import State
from service.auth.keys import ApiKeyRepository, load_peppers
from service.batches.states import BatchState
from service.settings import Settings
from service.storage.tables import (
    AssessmentRow,
    BatchRow,
    DeliveryRow,
    IdempotencyRow,
    MessageRow,
    StageRow,
    UploadRow,
    WebhookRow,
)
from tests.service.api.conftest import Api
from tests.service.api.routes.test_batches import JSON_LINES, TAR, archive, lines
from tests.wire import Break

WAV = b"RIFF\x00\x00\x00\x00WAVE" + b"x" * 300
BYTES = {"Content-Type": "application/offset+octet-stream"}
MOST_COMMITS = 40
WRITTEN = (AssessmentRow, StageRow, BatchRow, UploadRow, WebhookRow, MessageRow, DeliveryRow, IdempotencyRow)


@pytest.fixture
def far_api(emptied, far_database, tmp_path, join_worker):
    """Its requests reach the database through the wire; what goes on beside them does not."""
    settings = Settings(data_dir=tmp_path, database_url=emptied)
    app = create_app(settings)
    with TestClient(app, raise_server_exceptions=False) as client:
        parts = app.state.components
        queue_positions = QueuePositions(far_database, settings.worker_timeout)
        app.state.components = replace(
            parts,
            database=far_database,
            api_keys=ApiKeyRepository(far_database, load_peppers(settings)),
            queue_positions=queue_positions,
            admission=AdmissionController(far_database, queue_positions, admission_limits(settings)),
        )
        join_worker(parts.database)
        keys = [parts.api_keys.issue(name="a", tenant=tenant).secret for tenant in ("ward-a", "ward-b")]
        yield Api(client=client, database=parts.database, folder=tmp_path, key=keys[0], foreign_key=keys[1])


class Requests:
    """Each prepares what it needs and returns the request itself, to be made once with a key of its own."""

    def __init__(self, api):
        self.api = api
        self.made = 0

    def ask(self, method, path, **options):
        self.made += 1
        headers = self.api.headers() | {"Tus-Resumable": "1.0.0", "Idempotency-Key": f"k{self.made}"}
        headers |= options.pop("headers", {})
        return self.api.client.request(method, path, headers=headers, **options)

    def submit(self):
        return lambda: self.ask("POST", "/v1/assessments", files={"audio": WAV})

    def submit_upload(self):
        upload = self._uploaded().rpartition("/")[2]
        body = {"audio": {"upload": upload}}
        return lambda: self.ask("POST", "/v1/assessments", json=body)

    def cancel(self):
        location = self.submit()().headers["location"]
        return lambda: self.ask("DELETE", location)

    def erase(self):
        location = self.submit()().headers["location"]
        self._end(AssessmentRow.id == location.rpartition("/")[2])
        return lambda: self.ask("DELETE", location)

    def submit_batch(self):
        manifest = [{"custom_id": name, "audio": f"{name}.wav"} for name in "ab"]
        body = archive(("a.wav", WAV), ("b.wav", WAV), manifest=manifest)
        return lambda: self.ask("POST", "/v1/batches", content=body, headers={"Content-Type": TAR})

    def submit_batch_of_uploads(self):
        line = {"custom_id": "a", "audio_upload": self._uploaded().rpartition("/")[2]}
        kind = {"Content-Type": JSON_LINES}
        return lambda: self.ask("POST", "/v1/batches", content=lines(line), headers=kind)

    def erase_batch(self):
        location = self.submit_batch()().headers["location"]
        batch_id = location.rpartition("/")[2]
        self._end(AssessmentRow.batch_id == batch_id)
        with self.api.database.writing() as session:
            session.execute(update(BatchRow).where(BatchRow.id == batch_id).values(state=BatchState.FINISHED))
        return lambda: self.ask("DELETE", location)

    def cancel_batch(self):
        location = self.submit_batch()().headers["location"]
        return lambda: self.ask("DELETE", location)

    def create_upload(self):
        return lambda: self.ask("POST", "/v1/uploads", headers={"Upload-Length": str(len(WAV))})

    def write_upload(self):
        location = self.create_upload()().headers["location"]
        headers = BYTES | {"Upload-Offset": "0"}
        return lambda: self.ask("PATCH", location, content=WAV, headers=headers)

    def drop_upload(self):
        location = self._uploaded()
        return lambda: self.ask("DELETE", location)

    def create_webhook(self):
        return lambda: self.ask("POST", "/v1/webhooks", json={"url": "https://example.org/"})

    def change_webhook(self):
        location = self.create_webhook()().headers["location"]
        return lambda: self.ask("PATCH", location, json={"enabled": False})

    def rotate_secret(self):
        location = self.create_webhook()().headers["location"]
        return lambda: self.ask("POST", f"{location}/rotate-secret")

    def send_test_message(self):
        location = self.create_webhook()().headers["location"]
        return lambda: self.ask("POST", f"{location}/test")

    def delete_webhook(self):
        location = self.create_webhook()().headers["location"]
        return lambda: self.ask("DELETE", location)

    def _uploaded(self):
        location = self.create_upload()().headers["location"]
        self.ask("PATCH", location, content=WAV, headers=BYTES | {"Upload-Offset": "0"})
        return location

    def _end(self, *which):
        with self.api.database.writing() as session:
            for row in session.scalars(select(AssessmentRow).where(*which)):
                finish(session, row, State.FAILED)


NAMES = [name for name in vars(Requests) if not name.startswith("_") and name != "ask"]


def rows(api):
    with api.database.reading() as session:
        return {table.__tablename__: session.scalar(select(func.count()).select_from(table)) for table in WRITTEN}


def effect(api, act):
    """What a request answers, and by how many rows each table that requests write to has grown."""
    before = rows(api)
    response = act()
    after = rows(api)
    return response.status_code, {name: after[name] - before[name] for name in after if after[name] != before[name]}


@pytest.mark.parametrize("how", [Break.LOST, Break.UNANSWERED])
@pytest.mark.parametrize("name", NAMES)
def test_a_request_happens_once_at_whichever_commit_its_connection_ends(far_api, wire, name, how):
    prepare = getattr(Requests(far_api), name)
    undisturbed = effect(far_api, prepare())
    assert undisturbed[0] < 300
    for commit in range(1, MOST_COMMITS):
        act = prepare()
        wire.break_at(commit, how)
        assert effect(far_api, act) == undisturbed, f"at commit {commit}"
        if not wire.broke:
            break
    assert commit > 2
