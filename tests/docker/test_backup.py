"""A stack of containers is backed up while it works, destroyed, and restored."""

import json
from pathlib import Path

import httpx
import pytest

from tests.docker.stack import FINAL, ROOT, finished, stack_of_its_own
from tests.waiting import wait_for

EXAMPLE = ROOT / "examples" / "interview.flac"
ENCRYPTED = "openssl enc -aes-256-cbc -pbkdf2 -pass pass:of-the-test"
FILTERS = {"BACKUP_FILTER": ENCRYPTED, "RESTORE_FILTER": f"{ENCRYPTED} -d"}
pytestmark = pytest.mark.timeout(1500)


def send(http, **headers):
    answer = http.post("/v1/assessments", files={"audio": ("x", EXAMPLE.read_bytes())}, headers=headers)
    assert answer.status_code == httpx.codes.ACCEPTED, answer.text
    return answer.headers["location"]


def send_batch(http):
    uploads = [upload(http, EXAMPLE.read_bytes()) for _ in range(2)]
    lines = [json.dumps({"custom_id": str(n), "audio_upload": name}) for n, name in enumerate(uploads)]
    answer = http.post("/v1/batches", content="\n".join(lines).encode(), headers={"Content-Type": "application/jsonl"})
    assert answer.status_code == httpx.codes.ACCEPTED, answer.text
    return answer.headers["location"]


def upload(http, content):
    tus = {"Tus-Resumable": "1.0.0"}
    made = http.post("/v1/uploads", headers={**tus, "Upload-Length": str(len(content))})
    assert made.status_code == httpx.codes.CREATED, made.text
    place = made.headers["location"]
    sent = http.patch(
        place,
        content=content,
        headers={**tus, "Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"},
    )
    assert sent.status_code == httpx.codes.NO_CONTENT, sent.text
    return place.rpartition("/")[2]


def test_what_was_backed_up_is_back_after_everything_was_destroyed(tmp_path):
    with stack_of_its_own(tmp_path, **FILTERS) as stack:
        stack.compose("up", "-d", "--wait", within=300)
        with stack.client(stack.new_key("backup")) as http:
            destroy_and_restore(stack, http, tmp_path)


def destroy_and_restore(stack, http, folder):
    scored = send(http)
    before = succeeded(http, scored)
    webhook = http.post("/v1/webhooks", json={"url": "https://clinic.example/hook"}).json()["id"]
    keyed = send(http, **{"Idempotency-Key": "of the test"})
    batch = send_batch(http)
    running = [send(http) for _ in range(4)]
    assert http.get(running[-1]).json()["state"] not in FINAL

    backup = stack.run("deploy/backup.sh", folder / "backups").strip().splitlines()[-1]
    assert oct(Path(backup).stat().st_mode)[-3:] == "700"
    kept = [file for file in Path(backup).iterdir() if file.name not in ("ABOUT", "SHA256SUMS")]
    assert {file.read_bytes()[:8] for file in kept} == {b"Salted__"}  # as openssl begins what it has encrypted
    assert "--replace" in stack.refused("deploy/restore.sh", backup)  # the stack holds something

    stack.compose("down", "-v", "--timeout", "5")
    for secret in Path(stack.environment["HILBERT_SECRETS"]).iterdir():
        secret.unlink()
    stack.run("deploy/restore.sh", backup)

    assert http.get(scored).json() == before
    assert http.get(f"/v1/webhooks/{webhook}").status_code == httpx.codes.OK
    assert send(http, **{"Idempotency-Key": "of the test"}) == keyed
    for location in (keyed, *running):
        assert succeeded(http, location)
    wait_for(lambda: http.get(batch).json()["state"] == "finished", seconds=300, every=1)
    assert len(http.get(f"{batch}/output").text.splitlines()) == 2

    later = send(http)
    stack.run("deploy/restore.sh", backup, "--replace")
    assert http.get(later).status_code == httpx.codes.NOT_FOUND
    assert http.get(scored).json() == before
    assert succeeded(http, running[-1])


def succeeded(http, location):
    seen = finished(http, location)
    assert seen["state"] == "succeeded", seen
    return seen


def test_a_damaged_backup_is_refused_before_anything_is_touched(tmp_path):
    backup = tmp_path / "backup"
    backup.mkdir()
    (backup / "ABOUT").write_text("format 1\n")
    (backup / "SHA256SUMS").write_text(f"{'0' * 64}  ABOUT\n")
    with stack_of_its_own(tmp_path) as stack:
        assert "damaged" in stack.refused("deploy/restore.sh", backup)
