"""What an operator sees of a real service, with a stand-in for the model, and what nobody may see in it.

Everything that a client sends holds one word. Recordings succeed, are abstained from and fail, a receiver is told of
each end, the service is stopped; then its logs, metrics and spans are read.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

import httpx
import pytest

from service.embedded.serving import running_service
from service.settings import Settings
from tests.otlp import TraceReceiver
from tests.receiver import Receiver
from tests.waiting import wait_for

WORD = "Lovelace7319"
WAV = b"RIFF\x00\x00\x00\x00WAVE"
TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
CONTENTS = {"succeeded": b"x" * 400, "abstained": b"silence", "failed": b"broken", "unreadable": b"unreadable"}
LAST = {"succeeded", "abstained", "failed"}


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What was left to look at: ids by outcome, log lines and metrics by process, spans, requests of the receiver."""

    ids: dict[str, str]
    logs: dict[str, str]
    metrics: dict[str, str]
    traces: TraceReceiver
    webhook_requests: int

    def lines(self, event: str) -> list[dict]:
        every = [json.loads(line) for log in self.logs.values() for line in log.splitlines() if line.startswith("{")]
        return [line for line in every if line["event"] == event]

    def value(self, process: str, sample: str) -> float:
        """A sample as it is written, with its labels."""
        match = re.search(rf"^{re.escape(sample)} (\S+)$", self.metrics[process], re.MULTILINE)
        return float(match.group(1)) if match else 0.0


@pytest.fixture(scope="module")
def seen(tmp_path_factory, fake_worker_command) -> Iterator[Seen]:
    with TraceReceiver() as traces, Receiver() as hook:
        settings = Settings(
            data_dir=tmp_path_factory.mktemp("seen"),
            port=0,
            metrics_port=0,
            traces_url=traces.url,
            stage_max_attempts=1,
            sweep_interval=timedelta(seconds=0.3),
            webhook_allow_http=True,
            webhook_networks=("127.0.0.0/8",),
        )
        with running_service(settings, fake_worker_command) as service:
            headers = {"Authorization": f"Bearer {service.first_key}"}
            with httpx.Client(base_url=service.url, headers=headers, timeout=30, trust_env=False) as client:
                ids = use(client, hook)
            wait_for(lambda: len(hook.requests) == len(CONTENTS))
            metrics = {path.stem: scraped(path.read_text()) for path in (settings.folder / "logs").glob("*.log")}
        logs = {path.stem: path.read_text() for path in (settings.folder / "logs").glob("*.log")}
        assert WORD in hook.requests[0].path
        yield Seen(ids=ids, logs=logs, metrics=metrics, traces=traces, webhook_requests=len(hook.requests))


def use(client: httpx.Client, hook: Receiver) -> dict[str, str]:
    """Do what clients do, with the word in all of it; the ids of the assessments."""
    assert client.post("/v1/webhooks", json={"url": f"{hook.url}/{WORD}?token={WORD}"}).status_code == 201
    client.get(f"/v1/assessments/{WORD}?name={WORD}")
    client.get(f"/{WORD}")
    client.post("/v1/assessments", data={"metadata": f'{{"{WORD}": "{WORD}"}}'})
    ids = {}
    for name, content in CONTENTS.items():
        response = client.post(
            "/v1/assessments",
            files={
                "audio": (f"{WORD}.wav", WAV + content + WORD.encode()),
                "transcript": (f"{WORD}.txt", f"{WORD} spoke".encode()),
            },
            data={"metadata": json.dumps({"reference": WORD})},
            headers={
                "Idempotency-Key": f"{WORD}-{name}",
                "User-Agent": WORD,
                "traceparent": f"00-{TRACE}-{PARENT}-01" if name == "succeeded" else WORD,
                "tracestate": f"a={WORD}",
            },
        )
        assert response.status_code == 202, response.text
        ids[name] = response.json()["id"]

    def has_ended(location):
        return client.get(f"/v1/assessments/{location}").json()["state"] in LAST

    for location in ids.values():
        wait_for(partial(has_ended, location))
    return ids


def scraped(log: str) -> str:
    """The metrics of the process that wrote this log."""
    (port,) = [line["port"] for line in map(json.loads, log.splitlines()) if line["event"] == "metrics served"]
    return httpx.get(f"http://127.0.0.1:{port}/metrics", trust_env=False).text


def test_logs_metrics_and_spans_hold_nothing_that_a_client_sent(seen):
    for text in (*seen.logs.values(), *seen.metrics.values()):
        assert WORD.lower() not in text.lower()
    assert seen.traces.bodies
    for body in seen.traces.bodies:
        assert WORD.lower().encode() not in body.lower()


def test_one_recording_is_one_trace_from_the_client_to_the_webhook(seen):
    spans = [span for span in seen.traces.spans if span.trace == TRACE]
    (request,) = [span for span in spans if span.name == "POST /v1/assessments"]
    (prepare,) = [span for span in spans if span.name == "process prepare"]
    encodes = [span for span in spans if span.name == "process encode"]
    (score,) = [span for span in spans if span.name == "process score"]
    assert (request.service, request.kind, request.parent) == ("hilbert-api", "server", PARENT)
    assert (prepare.service, prepare.kind, prepare.parent) == ("hilbert-worker", "consumer", request.id)
    assert len(encodes) > 1
    assert {encode.parent for encode in encodes} == {prepare.id}
    assert score.parent in {encode.id for encode in encodes}
    (deliver,) = [span for span in spans if span.name == "process deliver"]
    assert deliver.parent == score.id
    assert "POST" in {span.name for span in spans if span.parent == deliver.id}
    waits = {span.name: span for span in spans if span.name.startswith("wait ")}
    assert waits.keys() == {"wait prepare", "wait encode", "wait score"}
    assert waits["wait prepare"].parent == request.id
    assert {span.attributes["hilbert.assessment.id"] for span in (prepare, *encodes, score)} == {seen.ids["succeeded"]}
    assert request.attributes == {
        "http.request.method": "POST",
        "http.route": "/v1/assessments",
        "http.response.status_code": 202,
        "url.scheme": "http",
    }


def test_a_failure_is_a_span_that_failed(seen):
    (failed,) = [span for span in seen.traces.named("process prepare") if span.failed]
    assert failed.attributes["hilbert.assessment.id"] == seen.ids["failed"]
    assert failed.attributes["error.type"] == "abandoned"


def test_each_process_serves_what_it_counts(seen):
    assert seen.metrics.keys() == {"api", "worker-1", "worker-2"}
    assert seen.value("api", 'hilbert_submissions_total{outcome="accepted",priority="routine"}') == 4
    assert seen.value("api", 'hilbert_part_up{part="object_store"}') == 1
    assert seen.value("api", 'hilbert_workers{queue="deliver"}') == 1
    ended = {state: f'hilbert_assessments_ended_total{{state="{state}",task="spectrum"}}' for state in LAST}
    assert {state: seen.value("worker-1", sample) for state, sample in ended.items()} == {
        "succeeded": 1,
        "abstained": 2,
        "failed": 1,
    }
    assert seen.value("worker-1", 'hilbert_worker_ready{queues="prepare,encode,score"}') == 1
    assert seen.value("worker-1", 'hilbert_quality_flags_total{code="audio_unreadable",hard="true"}') == 1
    assert seen.value("worker-2", 'hilbert_webhook_attempts_total{outcome="delivered"}') == seen.webhook_requests
    for process in seen.metrics:
        assert seen.value(process, "process_resident_memory_bytes") > 0


def test_lines_of_requests_stages_and_deliveries_name_what_they_belong_to(seen):
    ids = {"request_id", "trace_id", "span_id"}
    for event, least, fields in (
        ("request", 8, {"route", "status"}),
        ("stage done", 5, {"assessment", "stage", "index"}),
        ("stage failed", 1, {"assessment", "stage", "index"}),
        ("delivery attempted", 4, {"delivery", "subject", "webhook", "message"}),
    ):
        lines = seen.lines(event)
        assert len(lines) >= least, event
        for line in lines:
            assert (ids | fields) <= line.keys()
    assert {line["subject"] for line in seen.lines("delivery attempted")} == set(seen.ids.values())


def test_a_line_and_a_span_of_the_same_stage_name_the_same_trace(seen):
    lines = [line for line in seen.lines("stage done") if line["assessment"] == seen.ids["succeeded"]]
    assert {line["trace_id"] for line in lines} == {TRACE}


def test_logs_are_lines_of_json_but_for_celery_s_goodbye(seen):
    for log in seen.logs.values():
        others = {line for line in log.splitlines() if not line.startswith("{")}
        assert others <= {"", "worker: Warm shutdown (MainProcess)"}
