"""What a clinical app's developer and an operator do first with a fresh stack."""

import json
import subprocess
import sys

import httpx
import pytest

from tests.docker.stack import ROOT, finished, silence

INTERVIEW = ROOT / "examples" / "interview.flac"
TRANSCRIPT = ROOT / "examples" / "interview.vtt"


def submit(client, key=None, **files):
    headers = {} if key is None else {"Idempotency-Key": f'"{key}"'}
    return client.post("/v1/assessments", files=files, headers=headers)


@pytest.fixture(scope="module")
def scored(client):
    """The example recording, scored by the stack."""
    accepted = submit(client, audio=INTERVIEW.read_bytes(), transcript=TRANSCRIPT.read_bytes())
    assert accepted.status_code == httpx.codes.ACCEPTED, accepted.text
    return finished(client, accepted.headers["location"])


def test_the_stack_says_that_it_is_ready(client):
    assert client.get("/livez").json() == {"status": "ok"}
    assert client.get("/readyz").json() == client.get("/healthz").json() == {"status": "ok"}


def test_a_recording_is_scored_as_on_a_single_machine(scored):
    command = (sys.executable, "-m", "service.cli.app", "assess", INTERVIEW, "--transcript", TRANSCRIPT, "--json")
    alone = json.loads(subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout)
    assert scored["state"] == "succeeded"
    assert scored["result"]["outcome"] == alone["outcome"]
    expected = {entry["outcome"]: entry["probability"] for entry in alone["probabilities"]}
    for entry in scored["result"]["probabilities"]:
        assert entry["probability"] == pytest.approx(expected[entry["outcome"]], abs=1e-6)
    assert scored["result"]["contributions"] is not None


def test_silence_is_abstained_from(client):
    accepted = submit(client, audio=silence())
    ended = finished(client, accepted.headers["location"])
    assert ended["state"] == "abstained"
    assert ended["result"]["outcome"] is None


def test_a_repeated_submission_is_one_assessment_whichever_api_answers(client):
    answers = [submit(client, key="again", transcript=TRANSCRIPT.read_bytes()) for _ in range(4)]
    assert {answer.status_code for answer in answers} == {httpx.codes.ACCEPTED}
    assert len({answer.json()["id"] for answer in answers}) == 1


def test_a_large_upload_in_pieces_goes_through_the_proxy(client):
    tus = {"Tus-Resumable": "1.0.0"}
    made = client.post("/v1/uploads", headers={**tus, "Upload-Length": str(INTERVIEW.stat().st_size)})
    location, content, offset = made.headers["location"], INTERVIEW.read_bytes(), 0
    while offset < len(content):
        piece = content[offset : offset + 1_000_000]
        headers = {**tus, "Upload-Offset": str(offset), "Content-Type": "application/offset+octet-stream"}
        offset = int(client.patch(location, content=piece, headers=headers).headers["upload-offset"])
    upload = location.rsplit("/", 1)[1]
    accepted = client.post("/v1/assessments", json={"audio": {"upload": upload}})
    assert accepted.status_code == httpx.codes.ACCEPTED, accepted.text
    assert finished(client, accepted.headers["location"])["state"] in {"succeeded", "abstained"}


def test_events_arrive_as_they_happen_and_not_when_a_buffer_is_full(client):
    accepted = submit(client, audio=INTERVIEW.read_bytes(), transcript=TRANSCRIPT.read_bytes())
    with client.stream("GET", f"{accepted.headers['location']}/events", timeout=120) as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        states = [json.loads(line[5:])["state"] for line in stream.iter_lines() if line.startswith("data:")]
    assert len(states) > 1
    assert states[-1] == "succeeded"


def test_an_erased_assessment_leaves_nothing_in_the_store(client, stack, scored):
    accepted = submit(client, transcript=TRANSCRIPT.read_bytes())
    ended = finished(client, accepted.headers["location"])
    assert client.delete(accepted.headers["location"]).status_code == httpx.codes.NO_CONTENT
    assert ended["id"] not in stack.inside("api", "find", "/srv/objects", "-type", "f")
    assert scored["id"] in stack.inside("api", "find", "/srv/objects", "-type", "f")
