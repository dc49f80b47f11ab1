"""The application in this process, on SQLite or over a real socket, with a worker that is only a row."""

import json
import shutil
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
import uvicorn
from starlette.testclient import TestClient

from service.api.app import create_app
from service.settings import Settings
from service.storage.database import Database
from tests.processes import answers, free_port
from tests.waiting import wait_for


@dataclass(frozen=True, kw_only=True)
class Api:
    client: TestClient
    database: Database
    folder: Path
    key: str
    foreign_key: str

    def post(self, *, audio=None, transcript=None, metadata=None, key=None, files=None):
        parts = dict(files or {})
        if audio is not None:
            parts["audio"] = ("patient-name.wav", audio)
        if transcript is not None:
            parts["transcript"] = ("patient-name.vtt", transcript)
        data = (
            None if metadata is None else {"metadata": metadata if isinstance(metadata, str) else json.dumps(metadata)}
        )
        return self.client.post("/v1/assessments", files=parts or None, data=data, headers=self.headers(key))

    def get(self, path, *, key=None, **options):
        return self.client.get(path, headers=self.headers(key), **options)

    def delete(self, path, *, key=None):
        return self.client.delete(path, headers=self.headers(key))

    def headers(self, key=None):
        return {"Authorization": f"Bearer {key or self.key}"}

    def stored(self):
        return [path for path in (self.folder / "objects").rglob("*") if path.is_file()]


@pytest.fixture
def settings(request, tmp_path, migrated_file):
    """Small limits; a test may name others."""
    shutil.copy(migrated_file, tmp_path / "hilbert.sqlite")
    limits = {"upload_limit": 100_000, "transcript_limit": 1_000, **getattr(request, "param", {})}
    return Settings(data_dir=tmp_path, sweep_interval=timedelta(milliseconds=50), **limits)


@pytest.fixture
def bare_api(settings, tmp_path):
    """Without any worker."""
    app = create_app(settings)
    with TestClient(app, raise_server_exceptions=False) as client:
        parts = app.state.components
        yield Api(
            client=client,
            database=parts.database,
            folder=tmp_path,
            key=parts.api_keys.issue(name="a", tenant="ward-a").secret,
            foreign_key=parts.api_keys.issue(name="b", tenant="ward-b").secret,
        )


@pytest.fixture
def api(bare_api, join_worker):
    join_worker(bare_api.database)
    return bare_api


@contextmanager
def listening(settings):
    """The application behind a real uvicorn, in a thread: its address and its parts."""
    app, port = create_app(settings), free_port()
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_config=None, access_log=False))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        wait_for(lambda: answers(port))
        yield f"http://127.0.0.1:{port}", app.state.components
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture
def listen():
    """To be called with settings, as a context."""
    return listening
