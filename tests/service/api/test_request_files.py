"""How many files of `service/` a submission enters: what a reader opens who follows a POST to its 202.

`pytest -rP tests/service/api/test_request_files.py` prints them.
"""

import sys
import threading
from contextlib import contextmanager
from pathlib import Path

import pytest
from starlette.testclient import TestClient

import service
from service.api.app import create_app
from tests.service.api.conftest import Api

SERVICE = Path(service.__file__).parent
WAV = b"RIFF\x00\x00\x00\x00WAVE" + b"x" * 500
MAX_FILES = 30
BACKGROUND = ("sweeper", "readiness")
"""Threads that run beside the requests and not for them."""


class CallRecorder:
    """The files of `service/` of which a function was called while `on`, in every thread that serves requests."""

    def __init__(self):
        self.files = set()
        self.on = False

    def __call__(self, frame, event, _argument):
        if not self.on or event != "call" or threading.current_thread().name.startswith(BACKGROUND):
            return
        path = Path(frame.f_code.co_filename)
        if path.is_relative_to(SERVICE) and frame.f_code.co_name != "<module>":
            self.files.add(str(path.relative_to(SERVICE)))

    @contextmanager
    def installed(self):
        """In threads that start meanwhile: the event loop's, and those of its pool."""
        threading.setprofile(self)
        try:
            yield self
        finally:
            threading.setprofile(None)


@pytest.fixture
def entered_files(settings, tmp_path, join_worker):
    """The files that a submission with all its parts enters until its 202."""
    recorder = CallRecorder()
    app = create_app(settings)
    with recorder.installed(), TestClient(app) as client:
        components = app.state.components
        join_worker(components.database)
        key = components.api_keys.issue(name="a", tenant="ward-a").secret
        api = Api(client=client, database=components.database, folder=tmp_path, key=key, foreign_key=key)
        recorder.on = True
        answer = api.post(audio=WAV, transcript=b"hello there", metadata={"reference": "visit-1"})
        recorder.on = False
    assert answer.status_code == 202
    return sorted(recorder.files)


def test_a_submission_enters_at_most_thirty_files(entered_files):
    assert len(entered_files) <= MAX_FILES, "\n".join(entered_files)
    sys.stdout.write("\n".join([*entered_files, f"{len(entered_files)} files\n"]))
