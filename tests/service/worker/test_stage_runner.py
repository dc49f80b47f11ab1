"""Stages run one by one against a real database and object store, without a queue."""

import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import structlog
from sqlalchemy import select, update

from service.assessments.repository import AssessmentRepository
from service.assessments.result import Result
from service.assessments.states import Priority, StageKind, StageState, State
from service.errors.tree import FenceLost
from service.errors.unavailable import StorageUnavailable
from service.maintenance.retention import retention
from service.settings import Settings
from service.storage import retry
from service.storage.database import now
from service.storage.objects import assessment_prefix, material_prefix, work_prefix
from service.storage.tables import AssessmentRow, StageRow
from service.worker.stage_runner import StageRetryPolicy, StageRunner, stage_retry_policy
from service.worker_registry import WorkerIdentity

QUICK = StageRetryPolicy(
    lease=timedelta(seconds=60),
    renew_interval=timedelta(milliseconds=20),
    attempts=2,
    retry_delay=timedelta(0),
    retention=retention(Settings()),
)
WORKER = WorkerIdentity(id="w1", queues=("prepare", "encode", "score"))


class Bench:
    """One assessment of some audio and the runner that works on it."""

    def __init__(self, database, objects, model, submit, scratch):
        self.database = database
        self.objects = objects
        self.submit = submit
        self.runner = StageRunner(database, objects, model, worker=WORKER, retry=QUICK, scratch=scratch)

    def send(self, audio):
        key = self.objects.put(material_prefix("a1"), audio)
        self.submit(self.database, audio_key=key)

    def ready(self):
        with self.database.reading() as session:
            query = select(StageRow.id).where(StageRow.state == StageState.READY).order_by(StageRow.index)
            return list(session.scalars(query))

    def step(self):
        return self.runner.run(self.ready()[0])

    def run_all(self):
        while self.ready():
            self.step()

    def row(self):
        with self.database.reading() as session:
            return session.get(AssessmentRow, "a1")

    def result(self):
        return Result.model_validate_json(self.objects.get(self.row().result_key))


@pytest.fixture
def bench(sqlite, objects, model, submit, tmp_path):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    return Bench(sqlite, objects, model, submit, scratch)


def test_an_assessment_runs_from_audio_to_result(bench):
    bench.send(b"x" * 400)
    bench.run_all()
    assert bench.row().state == State.SUCCEEDED
    assert (bench.row().segments_done, bench.row().segments_total) == (40, 40)
    assert bench.result().quality.segments == 40


def test_only_the_result_is_left_in_the_store(bench):
    bench.send(b"x" * 400)
    bench.run_all()
    assert bench.objects.list(assessment_prefix("a1")) == [bench.row().result_key]
    assert bench.row().material_removed_at is not None


def test_nothing_is_left_in_the_scratch_folder(bench, tmp_path):
    bench.send(b"x" * 400)
    bench.run_all()
    assert list((tmp_path / "scratch").iterdir()) == []


def test_material_that_cannot_be_prepared_abstains_with_the_reason(bench):
    bench.send(b"unreadable")
    bench.run_all()
    result = bench.result()
    assert bench.row().state == State.ABSTAINED
    assert (result.outcome, result.probabilities, result.contributions) == (None, (), None)
    assert [(flag.code, flag.hard) for flag in result.quality.flags] == [("audio_unreadable", True)]
    assert "Send another file." in result.quality.flags[0].message


def test_silence_goes_straight_to_scoring_and_abstains(bench):
    bench.send(b"silence")
    bench.step()
    with bench.database.reading() as session:
        kinds = set(session.scalars(select(StageRow.kind)))
    assert kinds == {StageKind.PREPARE, StageKind.SCORE}
    bench.run_all()
    assert bench.row().state == State.ABSTAINED
    assert bench.result().quality.flags[0].code == "no_speech"


def test_an_unexpected_error_is_retried_and_then_fails_without_details(bench):
    bench.send(b"broken: my name is Ada")
    assert bench.step() == "a1"
    assert bench.row().state == State.PREPARING
    bench.run_all()
    row = bench.row()
    assert (row.state, row.failure_code) == (State.FAILED, "internal_error")
    assert "Ada" not in row.failure_detail + row.failure_advice


def test_the_log_of_an_error_holds_no_content_of_the_material(bench, caplog, capsys):
    caplog.set_level(logging.DEBUG)
    bench.send(b"broken: my name is Ada")
    bench.run_all()
    shown = caplog.text + capsys.readouterr().out
    assert "RuntimeError" in shown
    assert "Ada" not in shown


def test_a_doubled_message_does_nothing(bench):
    bench.send(b"x" * 400)
    (prepare,) = bench.ready()
    assert bench.runner.run(prepare) == "a1"
    assert bench.runner.run(prepare) is None
    assert bench.runner.run("no-such-stage") is None


def test_a_chunk_is_computed_again_after_an_error_and_no_other(bench, model):
    bench.send(b"x" * 400)
    bench.step()
    encoded, encode = [], model.encode

    def once_broken(chunk, on_lost):
        encoded.append(chunk)
        if len(encoded) == 2:
            raise OSError
        return encode(chunk)

    model.encode = once_broken
    bench.run_all()
    assert bench.row().state == State.SUCCEEDED
    assert len(encoded) == 4
    assert len(set(encoded)) == 3


@pytest.mark.parametrize("steps", [1, 2, 4])  # chunks are lost, a chunk and features, features and the summary
def test_lost_intermediate_objects_are_computed_again(bench, steps):
    bench.send(b"x" * 400)
    for _ in range(steps):
        bench.step()
    bench.objects.delete(work_prefix("a1"))
    bench.step()
    assert (bench.row().state, bench.row().segments_done) == (State.QUEUED, 0)
    bench.run_all()
    assert (bench.row().state, bench.row().segments_done) == (State.SUCCEEDED, 40)


def test_two_stages_with_the_same_loss_restart_the_assessment_once(bench):
    bench.send(b"x" * 400)
    bench.step()
    bench.objects.delete(work_prefix("a1"))
    read, both = bench.objects.get, threading.Barrier(2)

    def together(key):
        both.wait(30)
        return read(key)

    bench.objects.get = together
    with ThreadPoolExecutor(2) as pool:
        assert all(pool.map(bench.runner.run, bench.ready()[:2]))
    bench.objects.get = read
    assert len(bench.ready()) == 1
    bench.run_all()
    assert bench.row().state == State.SUCCEEDED


def test_repeated_losses_fail_with_a_reason(bench):
    bench.send(b"x" * 400)
    for _ in range(QUICK.attempts):
        bench.step()
        bench.objects.delete(work_prefix("a1"))
        bench.step()
    assert bench.ready() == []
    assert (bench.row().state, bench.row().failure_code) == (State.FAILED, "work_lost")


def test_missing_material_fails_with_a_reason(bench):
    bench.send(b"x" * 400)
    bench.objects.delete(material_prefix("a1"))
    bench.run_all()
    assert (bench.row().state, bench.row().failure_code) == (State.FAILED, "work_lost")


def cancel(bench, caller):
    with bench.database.writing() as session:
        assert AssessmentRepository(session, caller).cancel("a1")
    bench.objects.delete(assessment_prefix("a1"))


def test_objects_of_a_cancelled_stage_are_deleted(bench, model, caller):
    bench.send(b"x" * 400)
    bench.step()
    encode = model.encode

    def cancelled_meanwhile(chunk, on_lost):
        cancel(bench, caller)
        return encode(chunk)

    model.encode = cancelled_meanwhile
    bench.step()
    assert bench.row().state == State.CANCELLED
    assert bench.objects.list(work_prefix("a1")) == []


def test_objects_written_after_an_erasure_are_deleted(bench, model, caller):
    bench.send(b"x" * 400)
    bench.step()
    encode = model.encode

    def erased_meanwhile(chunk, on_lost):
        cancel(bench, caller)
        with bench.database.writing() as session:
            AssessmentRepository(session, caller).erase("a1")
        return encode(chunk)

    model.encode = erased_meanwhile
    bench.step()
    assert bench.objects.list("assessments") == []


def test_what_the_client_said_about_the_recording_reaches_the_model(bench, model, monkeypatch):
    given, prepare = [], model.prepare

    def spied(audio, transcript, scratch, recording, **keywords):
        given.append(recording)
        return prepare(audio, transcript, scratch, recording, **keywords)

    monkeypatch.setattr(model, "prepare", spied)
    bench.send(b"x")
    with bench.database.writing() as session:
        session.execute(update(AssessmentRow).values(recording={"participant": ["Ann"]}))
    bench.step()
    assert given == [{"participant": ["Ann"]}]


def test_preparing_stops_soon_after_a_cancellation(bench, model, caller, fake_worker_module):
    from time import sleep

    from service.worker.model_protocol import Preparation, PreparedChunk

    yielded = []

    def endless(audio, transcript, scratch, recording, *, check):
        def chunks():
            cancel(bench, caller)
            for number in range(1000):
                yielded.append(number)
                sleep(0.01)
                yield PreparedChunk(content=b"%d" % number, segments=1)

        return Preparation(summary=b"", seconds=1.0, chunks=chunks())

    model.prepare = endless
    bench.send(b"x")
    bench.step()
    assert len(yielded) < 100
    assert bench.objects.list("assessments") == []


def test_decoding_stops_soon_after_a_cancellation(bench, model, caller):
    from time import sleep

    packets = []

    def decoding(audio, transcript, scratch, recording, *, check):
        cancel(bench, caller)
        for number in range(1000):
            check()
            packets.append(number)
            sleep(0.01)

    model.prepare = decoding
    bench.send(b"x")
    bench.step()
    assert len(packets) < 300
    assert bench.row().state == State.CANCELLED


def test_encoding_stops_soon_after_a_cancellation_and_the_stage_counts_as_lost(bench, model, caller):
    bench.send(b"x" * 400)
    bench.step()

    def waits_for_mates(chunk, on_lost):
        stopped = threading.Event()
        on_lost(stopped.set)
        cancel(bench, caller)
        assert stopped.wait(30)
        raise FenceLost("The stage was cancelled.")

    model.encode = waits_for_mates
    with structlog.testing.capture_logs() as entries:
        bench.step()
    assert [entry["event"] for entry in entries] == ["stage lost"]
    assert bench.row().state == State.CANCELLED
    assert bench.objects.list("assessments") == []


def test_stages_of_several_assessments_run_in_parallel_threads(bench):
    names = [f"a{number}" for number in range(1, 7)]
    for name in names:
        bench.submit(bench.database, name, audio_key=bench.objects.put(material_prefix(name), b"x" * 400))
    with ThreadPoolExecutor(4) as pool:
        while ready := bench.ready():
            assert all(pool.map(bench.runner.run, ready))
    with bench.database.reading() as session:
        rows = [session.get(AssessmentRow, name) for name in names]
    assert [(row.state, row.segments_done) for row in rows] == [(State.SUCCEEDED, 40)] * len(names)


def test_the_retry_delay_doubles():
    plan = stage_retry_policy(Settings(retry_delay=timedelta(seconds=5)))
    assert [plan.delay_after(attempt).total_seconds() for attempt in (1, 2, 3)] == [5, 10, 20]


def test_a_message_wakes_the_worker_which_claims_the_best_stage(bench):
    bench.submit(
        bench.database, "b1", priority=Priority.BATCH, audio_key=bench.objects.put(material_prefix("b1"), b"x")
    )
    bench.send(b"x" * 20)
    with bench.database.writing() as session:
        session.execute(update(StageRow).values(enqueued_at=now()))
        batch = session.scalars(select(StageRow.id).where(StageRow.assessment_id == "b1")).one()
    assert bench.runner.run(batch) == "a1"
    assert bench.row().state == State.ENCODING


@pytest.fixture
def full_disk(bench, monkeypatch):
    """Nothing can be stored, for as long as the test wants."""
    put = bench.objects.put

    def full(prefix, content):
        raise StorageUnavailable("full")

    monkeypatch.setattr(bench.objects, "put", full)
    return lambda: monkeypatch.setattr(bench.objects, "put", put)


def test_a_full_disk_costs_no_attempt_however_long_it_lasts(bench, full_disk, monkeypatch):
    monkeypatch.setattr(retry, "RETRY_INTERVAL_SECONDS", 0.001)
    bench.submit(bench.database)
    for _ in range(3 * QUICK.attempts):
        assert bench.step()
    full_disk()
    bench.run_all()
    assert bench.row().state == State.SUCCEEDED
