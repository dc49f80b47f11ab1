from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from service.assessments.repository import AssessmentRepository
from service.assessments.stages import StageRepository
from service.assessments.states import StageKind, StageState, State, StoredChunk
from service.errors.tree import FenceLost
from service.queue.model_replacement import restart_without_model
from service.queue.redelivery import requeue_unclaimed
from service.storage.database import now
from service.storage.tables import AssessmentRow, ModelRow, StageRow, WorkerRow
from service.worker_registry import deregister

SILENCE = timedelta(seconds=30)
LEASE = timedelta(seconds=60)
LONG_AGO = timedelta(minutes=2)


@pytest.fixture
def old_model(loaded_model):
    return replace(loaded_model, digest="old")


@pytest.fixture
def begun(database, submit, join_worker, old_model):
    """An assessment of two chunks, the first of which is encoded with a model, and the claim of the second."""
    worker = join_worker(database, "w-old", model=old_model)
    submit(database, audio_key="audio")
    claim = take(database, StageKind.PREPARE)
    chunks = [StoredChunk(key=f"chunk-{number}", segments=2) for number in range(2)]
    write(database, "complete_prepare", claim, "summary", chunks, seconds=60.0)
    write(database, "complete_encode", take(database, StageKind.ENCODE), "features")
    return worker, take(database, StageKind.ENCODE)


def write(database, verb, *arguments, model="old", **options):
    with database.writing() as session:
        return getattr(StageRepository(session, "w-old", model), verb)(*arguments, **options)


def take(database, kind, model="old"):
    ready = (
        select(StageRow.id).where(StageRow.kind == kind, StageRow.state == StageState.READY).order_by(StageRow.index)
    )
    with database.reading() as session:
        stage_id = session.scalars(ready).first()
    return write(database, "claim", stage_id, LEASE, 3, model=model)


def row(database):
    with database.reading() as session:
        return session.get(AssessmentRow, "a1")


def stages(database):
    with database.reading() as session:
        return session.scalars(select(StageRow)).all()


def go(database, worker, *, seen=LONG_AGO):
    """The worker ends, and with it, some time ago, the last that had its model."""
    with database.writing() as session:
        deregister(session, worker)
        session.execute(update(ModelRow).where(ModelRow.digest == "old").values(seen_at=now() - seen))


def test_assessments_of_a_replaced_model_restart_with_the_present_one(database, begun, join_worker):
    worker, _ = begun
    version = row(database).version
    go(database, worker)
    join_worker(database, "w-new")
    assert restart_without_model(database, SILENCE) == 1
    after = row(database)
    assert (after.state, after.segments_done, after.segments_total, after.model_digest) == (State.QUEUED, 0, None, None)
    assert after.version > version
    (prepare,) = stages(database)
    assert (prepare.kind, prepare.state, prepare.attempt, prepare.output_key) == ("prepare", StageState.READY, 0, None)
    assert prepare.enqueued_at is None
    assert restart_without_model(database, SILENCE) == 0


def test_a_restarted_assessment_runs_like_a_new_one(database, begun, join_worker):
    go(database, begun[0])
    join_worker(database, "w-new")
    restart_without_model(database, SILENCE)
    chunks = [StoredChunk(key="other-chunk", segments=5)]
    write(database, "complete_prepare", take(database, StageKind.PREPARE, "n"), "s", chunks, seconds=60.0, model="n")
    write(database, "complete_encode", take(database, StageKind.ENCODE, "n"), "features", model="n")
    claim = take(database, StageKind.SCORE, "n")
    with database.reading() as session:
        assert StageRepository(session, "w-new", "n").score_inputs(claim).feature_keys == ("features",)
    write(database, "complete_assessment", claim, "result", scored=True, model="n")
    after = row(database)
    assert (after.state, after.segments_done, after.model_digest) == (State.SUCCEEDED, 5, "n")


def test_a_late_worker_of_the_old_model_cannot_write(database, begun, join_worker):
    worker, late = begun
    go(database, worker)
    join_worker(database, "w-new")
    restart_without_model(database, SILENCE)
    with pytest.raises(FenceLost):
        write(database, "complete_encode", late, "late features")
    assert write(database, "renew", late, LEASE) is False
    assert [stage.kind for stage in stages(database)] == ["prepare"]


def test_a_model_seen_recently_keeps_its_assessments(database, begun, join_worker):
    go(database, begun[0], seen=timedelta(seconds=5))
    join_worker(database, "w-new")
    assert restart_without_model(database, SILENCE) == 0


@pytest.mark.parametrize("queues", [None, ("encode",), ("deliver",)])
def test_assessments_wait_while_no_worker_can_prepare_them_again(database, begun, join_worker, queues):
    go(database, begun[0])
    if queues is not None:
        join_worker(database, "w-new", queues)
    assert restart_without_model(database, SILENCE) == 0
    assert row(database).state == State.ENCODING


def test_one_live_worker_with_the_model_keeps_its_assessments(database, begun, join_worker, old_model):
    go(database, begun[0])
    join_worker(database, "w-score", ("score",), old_model)
    join_worker(database, "w-new")
    assert restart_without_model(database, SILENCE) == 0


def test_a_dead_worker_does_not_keep_assessments(database, begun, join_worker):
    join_worker(database, "w-new")
    with database.writing() as session:
        session.execute(update(WorkerRow).where(WorkerRow.id == "w-old").values(beat_at=now() - LONG_AGO))
        session.execute(update(ModelRow).where(ModelRow.digest == "old").values(seen_at=now() - LONG_AGO))
    assert restart_without_model(database, SILENCE) == 1


def test_a_cancelled_assessment_is_not_restarted(database, begun, join_worker, caller):
    go(database, begun[0])
    join_worker(database, "w-new")
    with database.writing() as session:
        AssessmentRepository(session, caller).cancel("a1")
    assert restart_without_model(database, SILENCE) == 0
    assert row(database).state == State.CANCELLED


def test_an_assessment_without_its_recording_fails_with_a_reason(database, begun, join_worker):
    go(database, begun[0])
    join_worker(database, "w-new")
    with database.writing() as session:
        session.execute(update(AssessmentRow).values(audio_key=None))
    restart_without_model(database, SILENCE)
    assert (row(database).state, row(database).failure_code) == (State.FAILED, "model_replaced")


def test_stages_that_an_idle_worker_cannot_take_are_not_republished(database, begun, join_worker):
    write(database, "retry", begun[1], timedelta(0))
    go(database, begun[0])
    join_worker(database, "w-new")
    with database.writing() as session:
        waiting = StageRow.state == StageState.READY
        session.execute(update(StageRow).where(waiting).values(enqueued_at=now() - timedelta(seconds=9)))
        requeue_unclaimed(session, timedelta(minutes=1), SILENCE)
    assert [stage.enqueued_at for stage in stages(database) if stage.state == StageState.READY] != [None]
