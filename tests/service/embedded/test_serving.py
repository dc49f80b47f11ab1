"""The whole service as real processes on its embedded defaults, with a stand-in for the model."""

import os
import signal
import socket
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from standardwebhooks import Webhook

from service.embedded.serving import _programs, running_service
from service.errors.tree import ConfigurationRefused
from service.settings import Settings
from tests.receiver import Receiver
from tests.waiting import wait_for

ROOT = Path(__file__).resolve().parents[3]
WAV = b"RIFF\x00\x00\x00\x00WAVE"
FINAL = {"succeeded", "abstained", "failed", "cancelled"}


class Client:
    def __init__(self, service):
        headers = {"Authorization": f"Bearer {service.first_key}"}
        self.http = httpx.Client(base_url=service.url, headers=headers, timeout=30, trust_env=False)

    def send(self, content=b"x" * 400, **metadata):
        response = self.http.post("/v1/assessments", files={"audio": ("x", WAV + content)}, data=metadata)
        assert response.status_code == 202, response.text
        return response.headers["location"]

    def finish(self, location, seconds=30):
        return wait_for(lambda: self.look(location, FINAL), seconds)

    def look(self, location, states):
        body = self.http.get(location).json()
        return body if body["state"] in states else None


def quick(folder, **settings):
    return Settings(
        data_dir=folder,
        port=0,
        stage_lease=timedelta(seconds=2),
        lease_renew_interval=timedelta(seconds=0.5),
        sweep_interval=timedelta(seconds=0.3),
        republish_after=timedelta(seconds=3),
        retry_delay=timedelta(seconds=0),
        stage_max_attempts=3,
        webhook_allow_http=True,
        webhook_networks=("127.0.0.0/8",),
        **settings,
    )


@pytest.fixture(scope="module")
def service(tmp_path_factory, fake_worker_command):
    with running_service(quick(tmp_path_factory.mktemp("service")), fake_worker_command) as service:
        yield service


@pytest.fixture
def client(service):
    client = Client(service)
    yield client
    client.http.close()


def stored(service):
    # os.walk passes over a folder that the service deletes meanwhile; Path.rglob raises.
    return [Path(folder, name) for folder, _, names in os.walk(service.settings.folder / "objects") for name in names]


def test_a_recording_goes_in_and_its_result_comes_out(client):
    answer = client.finish(client.send())
    assert answer["state"] == "succeeded"
    progress = {"stage": None, "segments_done": 41, "segments_total": 41, "position": None, "eta_seconds": None}
    assert answer["progress"] == progress
    assert sum(item["probability"] for item in answer["result"]["probabilities"]) == pytest.approx(1)


def test_many_at_once_are_all_answered(client):
    locations = [client.send(b"x" * (10 * size)) for size in range(1, 21)]
    answers = [client.finish(location) for location in locations]
    assert [answer["result"]["quality"]["segments"] for answer in answers] == [size + 1 for size in range(1, 21)]


def test_progress_never_goes_back(client):
    location = client.send(b"slow" + b"x" * 600)
    seen: list[dict[str, Any]] = []
    while not seen or seen[-1]["state"] not in FINAL:
        seen.append(client.http.get(location).json())
    order = ["queued", "preparing", "encoding", "scoring", "succeeded"]
    states = [order.index(answer["state"]) for answer in seen]
    done = [answer["progress"]["segments_done"] for answer in seen]
    assert states == sorted(states)
    assert done == sorted(done)


def test_a_webhook_receives_the_final_state(client):
    with Receiver() as receiver:
        made = client.http.post("/v1/webhooks", json={"url": receiver.url}).json()
        location = client.send()
        wait_for(lambda: receiver.requests)
        wait_for(lambda: client.http.get(f"{made['links']['self']}/deliveries?state=delivered").json()["items"])
        client.http.delete(made["links"]["self"])
    (request,) = receiver.requests
    event = Webhook(made["secret"]).verify(request.body, request.headers)
    assert (event["type"], event["data"]["links"]["self"]) == ("assessment.succeeded", location)


def test_unusable_material_abstains(client):
    answer = client.finish(client.send(b"unreadable"))
    assert (answer["state"], answer["result"]["quality"]["flags"][0]["code"]) == ("abstained", "audio_unreadable")


def test_a_poisonous_recording_fails_with_a_reason_and_without_its_words(client, service):
    answer = client.finish(client.send(b"broken: my name is Ada"))
    assert (answer["state"], answer["error"]["code"]) == ("failed", "internal_error")
    logs = "".join(path.read_text() for path in (service.settings.folder / "logs").iterdir())
    assert "Ada" not in logs
    assert "RuntimeError" in logs


def test_a_running_assessment_can_be_cancelled(client):
    location = client.send(b"slow" + b"x" * 3000)
    wait_for(lambda: client.look(location, {"encoding"}))
    assert client.http.delete(location).status_code == 204
    assert client.http.get(location).json()["state"] == "cancelled"
    assert client.finish(client.send())["state"] == "succeeded"
    assert client.http.get(location).json()["state"] == "cancelled"


def test_an_erased_assessment_is_gone(client):
    location = client.send()
    client.finish(location)
    assert client.http.delete(location).status_code == 204
    assert client.http.get(location).status_code == 404


def test_only_results_stay_in_the_store(client, service):
    client.finish(client.send())
    wait_for(lambda: all(path.parent.name == "result" for path in stored(service)))


def test_a_killed_worker_costs_one_chunk_and_no_assessment(client, service):
    location = client.send(b"slow" + b"x" * 600)
    wait_for(lambda: client.http.get(location).json()["progress"]["segments_done"])
    for pid in service.supervisor.pids("worker-1"):
        os.kill(pid, signal.SIGKILL)
    answer = client.finish(location)
    assert answer["state"] == "succeeded"
    assert answer["progress"]["segments_done"] == answer["progress"]["segments_total"]


def test_a_killed_api_comes_back_on_the_same_address(client, service):
    location = client.send()
    for pid in service.supervisor.pids("api"):
        os.kill(pid, signal.SIGKILL)

    def answered():
        try:
            return client.look(location, FINAL)
        except httpx.TransportError:
            return None

    assert wait_for(answered)["state"] == "succeeded"


def test_the_key_is_shown_at_the_first_start_only(tmp_path, fake_worker_command):
    with running_service(quick(tmp_path), fake_worker_command) as first:
        client = Client(first)
        location = client.send()
        client.finish(location)
    with running_service(quick(tmp_path), fake_worker_command) as second:
        assert first.first_key is not None
        assert second.first_key is None
        response = client.http.get(f"{second.url}{location}")
        assert response.json()["state"] == "succeeded"
        client.http.close()


def test_workers_may_share_the_queues_out(tmp_path, fake_worker_command):
    settings = quick(tmp_path, workers=("prepare,score", "encode"))
    with running_service(settings, fake_worker_command) as service:
        client = Client(service)
        assert client.finish(client.send())["state"] == "succeeded"
        client.http.close()


def test_a_worker_that_refuses_its_settings_ends_the_start(tmp_path, fake_worker_command):
    settings = quick(tmp_path, workers=("decode",))
    with pytest.raises(ConfigurationRefused, match="Unknown queues"), running_service(settings, fake_worker_command):
        pass


SERVE = """
import sys
from service.cli import app
from service.embedded import serving
original = serving.running_service
app.running_service = lambda settings: original(settings, tuple(sys.argv[1:]))
app.app(["serve", "--port", "0"])
"""


def alive(pid):
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def children(pid):
    return [
        int(child) for task in Path(f"/proc/{pid}/task").iterdir() for child in (task / "children").read_text().split()
    ]


@pytest.fixture
def serve(tmp_path, fake_worker_command):
    """`hilbert serve` in a process of its own."""
    log = (tmp_path / "serve.log").open("w")
    process = subprocess.Popen(
        (sys.executable, "-c", SERVE, *fake_worker_command),
        env=quick(tmp_path / "data", stop_grace=timedelta(seconds=60)).child_environment(),
        cwd=ROOT,
        stdout=log,
        stderr=log,
        start_new_session=True,
    )
    yield process
    process.kill()
    process.wait()
    log.close()


def ready_children(serve, log):
    wait_for(lambda: "Ctrl-C stops it" in log.read_text())
    pids = children(serve.pid)
    assert len(pids) == 3  # API, stages, deliveries
    return pids


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_serve_shows_one_block_and_stops_cleanly(serve, tmp_path, number):
    pids = ready_children(serve, tmp_path / "serve.log")
    started = time.monotonic()
    serve.send_signal(number)
    assert serve.wait(90) == 0
    assert time.monotonic() - started < 50  # by themselves, not at the end of the grace
    assert not any(alive(pid) for pid in pids)
    shown = (tmp_path / "serve.log").read_text()
    assert shown.count("hil_") == 1
    assert "/docs" in shown
    assert "Traceback" not in shown


def test_no_child_outlives_a_killed_serve(serve, tmp_path):
    pids = ready_children(serve, tmp_path / "serve.log")
    serve.kill()
    serve.wait()
    wait_for(lambda: not any(alive(pid) for pid in pids))


def test_serve_can_be_stopped_before_it_is_ready(serve, tmp_path):
    wait_for((tmp_path / "data" / "lock").exists)
    pids = children(serve.pid)
    serve.send_signal(signal.SIGINT)
    assert serve.wait(90) == 0
    assert not any(alive(pid) for pid in [*pids, *children_of_session(serve.pid)])
    assert "Traceback" not in (tmp_path / "serve.log").read_text()


def children_of_session(parent):
    """Processes started for this parent, whoever has adopted them."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            arguments = (folder / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if b"--parent-pid" in arguments and str(parent).encode() in arguments:
            found.append(int(folder.name))
    return found


def test_each_child_has_a_metrics_port_of_its_own(tmp_path):
    with socket.socket() as listener:
        for port, expected in ((9464, ["9464", "9465", "9466"]), (0, [None] * 3), (None, [None] * 3)):
            programs = _programs(Settings(data_dir=tmp_path, metrics_port=port), listener, ("worker",))
            assert [program.environment.get("HILBERT_METRICS_PORT") for program in programs] == expected


def test_a_taken_metrics_port_is_refused_with_what_to_do(tmp_path, fake_worker_command):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        settings = quick(tmp_path / "data", metrics_port=other.getsockname()[1])
        with (
            pytest.raises(ConfigurationRefused, match="HILBERT_METRICS_PORT"),
            running_service(settings, fake_worker_command),
        ):
            pass
