"""A stack of containers is backed up while it works, destroyed, and restored. Needs Docker and the images.

Not part of `make test`: `python -m pytest tests/docker/test_backup.py`. HILBERT_VERSION names the images' tag.
"""

import json
import os
import subprocess
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from service.settings import REPOSITORY
from tests.processes import free_port
from tests.waiting import wait_for

EXAMPLE = REPOSITORY / "examples" / "interview.flac"
FINAL = {"succeeded", "abstained", "failed", "cancelled"}
pytestmark = pytest.mark.timeout(1500)


class Stack:
    """A stack of its own, with secrets of its own."""

    def __init__(self, folder: Path):
        self.port = free_port()
        self.secrets = folder / "secrets"
        self.environment = {
            **os.environ,
            "COMPOSE_PROJECT_NAME": f"hilbert-test-{self.port}",
            "HILBERT_SECRETS": str(self.secrets),
            "HILBERT_PUBLISH": f"127.0.0.1:{self.port}",
        }
        self.run("deploy/make-secrets", str(self.secrets))

    def run(self, *command, status=0):
        done = subprocess.run(
            command, cwd=REPOSITORY, env=self.environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == status, done.stdout + done.stderr
        return done

    def compose(self, *command):
        return self.run("docker", "compose", "--progress", "quiet", *command).stdout

    def client(self, key):
        headers = {"Authorization": f"Bearer {key}"}
        return httpx.Client(base_url=f"http://127.0.0.1:{self.port}", headers=headers, timeout=120, trust_env=False)


@pytest.fixture
def stack(tmp_path):
    stack = Stack(tmp_path)
    yield stack
    stack.compose("down", "-v", "--timeout", "5", "--remove-orphans")


@pytest.fixture
def clients():
    with ExitStack() as clients:
        yield clients


def send(http, **headers):
    answer = http.post("/v1/assessments", files={"audio": ("x", EXAMPLE.read_bytes())}, headers=headers)
    assert answer.status_code == 202, answer.text
    return answer.headers["location"]


def ended(http, location, seconds=300):
    def look():
        body = http.get(location).json()
        return body if body["state"] in FINAL else None

    return wait_for(look, seconds=seconds, every=1)


def send_batch(http):
    uploads = [upload(http, EXAMPLE.read_bytes()) for _ in range(2)]
    lines = [json.dumps({"custom_id": str(n), "audio_upload": name}) for n, name in enumerate(uploads)]
    answer = http.post("/v1/batches", content="\n".join(lines).encode(), headers={"Content-Type": "application/jsonl"})
    assert answer.status_code == 202, answer.text
    return answer.headers["location"]


def upload(http, content):
    tus = {"Tus-Resumable": "1.0.0"}
    made = http.post("/v1/uploads", headers={**tus, "Upload-Length": str(len(content))})
    assert made.status_code == 201, made.text
    place = made.headers["location"]
    sent = http.patch(
        place,
        content=content,
        headers={**tus, "Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"},
    )
    assert sent.status_code == 204, sent.text
    return place.rpartition("/")[2]


def test_what_was_backed_up_is_back_after_everything_was_destroyed(stack, clients, tmp_path):
    stack.compose("up", "-d", "--wait")
    key = stack.compose("exec", "-T", "api", "hilbert", "keys", "create", "backup", "--tenant", "ward").strip()
    http = clients.enter_context(stack.client(key))
    scored = send(http)
    before = ended(http, scored)
    assert before["state"] == "succeeded"
    webhook = http.post("/v1/webhooks", json={"url": "https://clinic.example/hook"}).json()["id"]
    keyed = send(http, **{"Idempotency-Key": "of the test"})
    batch = send_batch(http)
    running = [send(http) for _ in range(4)]
    assert http.get(running[-1]).json()["state"] not in FINAL

    backup = stack.run("deploy/backup.sh", str(tmp_path / "backups")).stdout.strip().splitlines()[-1]
    assert oct(Path(backup).stat().st_mode)[-3:] == "700"
    refused = stack.run("deploy/restore.sh", backup, status=1)  # the stack holds something
    assert "--replace" in refused.stderr

    stack.compose("down", "-v", "--timeout", "5")
    for secret in stack.secrets.iterdir():
        secret.unlink()
    stack.run("deploy/restore.sh", backup)

    assert http.get(scored).json() == before
    assert http.get(f"/v1/webhooks/{webhook}").status_code == 200
    assert send(http, **{"Idempotency-Key": "of the test"}) == keyed
    for location in (keyed, *running):
        assert ended(http, location)["state"] == "succeeded"
    wait_for(lambda: http.get(batch).json()["state"] == "finished", seconds=300, every=1)
    assert len(http.get(f"{batch}/output").text.splitlines()) == 2


def test_a_damaged_backup_is_refused_before_anything_is_touched(tmp_path):
    backup = tmp_path / "backup"
    backup.mkdir()
    (backup / "ABOUT").write_text("format 1\n")
    (backup / "SHA256SUMS").write_text(f"{'0' * 64}  ABOUT\n")
    stack = Stack(tmp_path)
    assert "damaged" in stack.run("deploy/restore.sh", str(backup), status=1).stderr
