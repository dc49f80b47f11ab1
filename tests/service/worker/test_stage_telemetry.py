"""What is counted and traced while stages run against a real database, without a queue."""

from datetime import timedelta
from typing import Any

import pytest
from opentelemetry.trace import StatusCode
from sqlalchemy import select, update

from service.assessments.states import BatchPosition, NewAssessment, Priority, StageState
from service.batches.repository import BatchRepository
from service.errors.unavailable import StorageUnavailable
from service.maintenance.retention import retention
from service.observability.traces import span
from service.settings import Settings
from service.storage.database import now
from service.storage.objects import material_prefix
from service.storage.tables import StageRow
from service.worker.stage_runner import StageRetryPolicy, StageRunner
from service.worker_registry import WorkerIdentity

WORKER = WorkerIdentity(id="w1", queues=("prepare", "encode", "score"))
PATIENCE = StageRetryPolicy(
    lease=timedelta(seconds=60),
    renew_interval=timedelta(seconds=10),
    attempts=2,
    retry_delay=timedelta(0),
    retention=retention(Settings()),
)


class Bench:
    """Assessments and the runner that works on them."""

    def __init__(self, database, objects, model, submit, caller, scratch):
        self.database, self.objects, self.submit, self.caller = database, objects, submit, caller
        self.runner = StageRunner(database, objects, model, worker=WORKER, retry=PATIENCE, scratch=scratch)

    def send(self, audio=b"x" * 400):
        self.submit(self.database, audio_key=self.objects.put(material_prefix("a1"), audio))

    def send_batch(self, audio=b"x" * 400):
        key = self.objects.put(material_prefix("a1"), audio)
        order: dict[str, Any] = {
            "task": "spectrum",
            "reference": None,
            "priority": Priority.BATCH,
            "bundle": "b",
            "request_id": "r1",
        }
        orders = [
            NewAssessment(
                id=name,
                audio_key=key,
                transcript_key=None,
                batch_position=BatchPosition(batch_id="b1", line=line, custom_id=name),
                **order,
            )
            for line, name in enumerate(("a1", "a2"), start=1)
        ]
        with self.database.writing() as session:
            BatchRepository(session, self.caller).add("b1", "r1", orders)

    def change(self, **values):
        with self.database.writing() as session:
            session.execute(update(StageRow).values(**values))

    def ready(self):
        with self.database.reading() as session:
            return list(session.scalars(select(StageRow.id).where(StageRow.state == StageState.READY)))

    def run_all(self):
        while ready := self.ready():
            self.runner.run(ready[0])


@pytest.fixture
def bench(sqlite, objects, model, submit, caller, tmp_path):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    return Bench(sqlite, objects, model, submit, caller, scratch)


def outcomes(counted, stage):
    words = ("done", "failed", "lost", "put_off", "abandoned")
    got = {word: counted("hilbert_stage_duration_seconds_count", stage=stage, outcome=word) for word in words}
    return {word: number for word, number in got.items() if number}


def test_each_stage_of_an_assessment_is_counted(bench, counted):
    bench.send(b"x" * 400)
    bench.run_all()
    assert outcomes(counted, "prepare") == outcomes(counted, "score") == {"done": 1}
    assert outcomes(counted, "encode") == {"done": 3}
    assert counted("hilbert_stage_attempts_total", stage="encode") == 3
    assert counted("hilbert_stage_busy_seconds_total", stage="encode") > 0
    assert counted("hilbert_audio_seconds_total") == 400 / 32_000
    assert counted("hilbert_drift_probability_count", task="spectrum", outcome="severe") == 1


def test_a_stage_that_fails_for_good_is_abandoned(bench, counted):
    bench.send(b"broken")
    bench.run_all()
    assert outcomes(counted, "prepare") == {"failed": 1, "abandoned": 1}
    assert counted("hilbert_assessments_ended_total", task="spectrum", state="failed") == 1
    assert counted("hilbert_audio_seconds_total") == 0


def test_a_stage_with_unavailable_storage_is_postponed(bench, counted, monkeypatch):
    bench.send()

    def away(*_):
        raise StorageUnavailable("away")

    monkeypatch.setattr(bench.objects, "get_to_file", away)
    bench.runner.run(bench.ready()[0])
    assert outcomes(counted, "prepare") == {"put_off": 1}


def test_a_stage_whose_assessment_has_ended_meanwhile_is_lost(bench, counted, model, monkeypatch):
    bench.send()
    prepare = model.prepare

    def overtaken(*arguments, **keywords):
        bench.change(fence=9)
        return prepare(*arguments, **keywords)

    monkeypatch.setattr(model, "prepare", overtaken)
    bench.runner.run(bench.ready()[0])
    assert outcomes(counted, "prepare") == {"lost": 1}


def test_an_abstention_counts_its_flags_and_no_drift(bench, counted):
    bench.send(b"silence")
    bench.run_all()
    assert counted("hilbert_quality_flags_total", code="no_speech", hard="true") == 1
    assert counted("hilbert_drift_segments_count") == 0


@pytest.mark.parametrize(
    ("changed", "waited"),
    [
        ({"created_at": 60}, 60),
        ({"created_at": 180, "not_before": 60}, 60),
        ({"created_at": 180, "claimed_at": 120, "enqueued_at": 60}, 60),
        ({"created_at": 180, "claimed_at": 60}, 60),
        ({"created_at": 180, "claimed_at": 120, "lease_until": 60, "state": "leased"}, 60),
    ],
    ids=["ready", "put off", "told again", "taken back", "lease ran out"],
)
def test_a_stage_has_waited_since_it_was_ready(bench, counted, changed, waited):
    bench.send()
    stage = bench.ready()[0]
    ago = {name: now() - timedelta(seconds=value) for name, value in changed.items() if name != "state"}
    bench.change(**{**changed, **ago})
    bench.runner.run(stage)
    seconds = counted("hilbert_stage_wait_seconds_sum", stage="prepare", priority="routine")
    assert waited <= seconds < waited + 30


def test_each_stage_is_traced_below_the_stage_before(bench, traced):
    with span("request"):
        bench.send()
    bench.run_all()
    (request,), (prepare,), encodes, (score,) = map(
        traced, ("request", "process prepare", "process encode", "process score")
    )
    assert len(encodes) == 3
    assert prepare.parent.span_id == request.context.span_id
    assert {encode.parent.span_id for encode in encodes} == {prepare.context.span_id}
    assert score.parent.span_id == encodes[-1].context.span_id
    assert {stage_span.context.trace_id for stage_span in (prepare, *encodes, score)} == {request.context.trace_id}


def test_a_stage_s_span_says_what_was_done_and_how_long_it_had_waited(bench, traced):
    bench.send()
    bench.change(created_at=now() - timedelta(seconds=60))
    bench.runner.run(bench.ready()[0])
    (prepare,), (wait,) = traced("process prepare"), traced("wait prepare")
    assert prepare.attributes["messaging.destination.name"] == "prepare"
    assert prepare.attributes["hilbert.assessment.id"] == "a1"
    assert prepare.attributes["hilbert.stage.outcome"] == "done"
    assert 60 <= prepare.attributes["hilbert.stage.wait_seconds"] < 90
    assert wait.end_time - wait.start_time >= 60 * 10**9
    for name in ("read material", "decode and cut", "complete"):
        assert traced(name)[0].parent.span_id == prepare.context.span_id


def test_a_failed_attempt_is_an_error_without_its_message(bench, traced):
    bench.send(b"broken Ada Lovelace")
    bench.runner.run(bench.ready()[0])
    (prepare,), (cut,) = traced("process prepare"), traced("decode and cut")
    assert (prepare.status.status_code, prepare.attributes["error.type"]) == (StatusCode.ERROR, "failed")
    assert cut.attributes["error.type"] == "RuntimeError"
    assert "Ada" not in prepare.to_json() + cut.to_json()


def test_each_line_of_a_batch_is_a_trace_of_its_own_that_links_to_the_request(bench, traced):
    with span("request"):
        bench.send_batch()
    bench.run_all()
    (request,), prepares, scores = map(traced, ("request", "process prepare", "process score"))
    traces = {stage_span.context.trace_id for stage_span in prepares}
    assert len(traces | {request.context.trace_id}) == 3
    assert {stage_span.context.trace_id for stage_span in scores} == traces
    assert [stage_span.links[0].context.span_id for stage_span in prepares] == [request.context.span_id] * 2
    assert [stage_span.parent for stage_span in prepares] == [None, None]
