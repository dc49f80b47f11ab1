from datetime import timedelta

import pytest
from sqlalchemy import update

from service.admission.queue_position import QueuePosition, QueuePositions, poll_after_seconds
from service.assessments.lifecycle import finish
from service.assessments.repository import AssessmentRepository
from service.assessments.states import Priority, State
from service.storage.database import now
from service.storage.tables import AssessmentRow, StageRow

WORKER_TIMEOUT = timedelta(seconds=30)


def still():
    """A clock that stands, so that a slow machine does not count as waiting."""
    return 0.0


@pytest.fixture
def look(database, caller):
    """Positions of assessments from a new snapshot."""

    def look(*ids):
        queue_positions = QueuePositions(database, WORKER_TIMEOUT, still)
        with database.reading() as session:
            assessments = [AssessmentRepository(session, caller).get(position) for position in ids]
        return [queue_positions.position_of(position) for position in assessments]

    return look


def test_positions_count_and_finish_times_add_up(database, submit, measured, join_worker, look):
    join_worker(database)
    measured(database)
    for name in ("a", "b", "c"):
        submit(database, name, audio_key="x")
    queue_positions = look("a", "b", "c")
    assert [position.position for position in queue_positions] == [0, 1, 2]
    assert [position.eta_seconds for position in queue_positions] == [1.0, 2.0, 3.0]


def test_batch_finishes_after_routine_and_has_positions_of_its_own(database, submit, measured, join_worker, look):
    join_worker(database)
    measured(database)
    submit(database, "batch", priority=Priority.BATCH, audio_key="x")
    submit(database, "routine", audio_key="x")
    batch, routine = look("batch", "routine")
    assert (batch.position, routine.position) == (0, 0)
    assert batch.eta_seconds > routine.eta_seconds


def test_a_started_assessment_has_position_0(database, submit, measured, join_worker, look):
    join_worker(database)
    measured(database)
    for name in ("first", "second"):
        submit(database, name, audio_key="x")
    with database.writing() as session:
        begun = {"state": State.ENCODING, "segments_done": 3, "segments_total": 4}
        session.execute(update(AssessmentRow).where(AssessmentRow.id == "second").values(**begun))
    first, second = look("first", "second")
    assert second.position == 0
    assert second.eta_seconds == 0.3
    assert (first.position, first.eta_seconds > second.eta_seconds) == (1, True)


def test_the_eta_is_unknown_without_a_throughput_or_without_workers(database, submit, measured, join_worker, look):
    submit(database, "a")
    measured(database)
    assert look("a") == [QueuePosition(position=0, eta_seconds=None)]
    join_worker(database)
    assert look("a")[0].eta_seconds is not None


def test_an_ended_assessment_has_no_position(database, submit, measured, join_worker, look):
    join_worker(database)
    measured(database)
    submit(database, "a")
    with database.writing() as session:
        finish(session, session.get(AssessmentRow, "a"), State.CANCELLED)
    assert look("a") == [QueuePosition()]


def test_one_snapshot_answers_many_questions(sqlite, submit, measured, join_worker):
    join_worker(sqlite)
    measured(sqlite)
    queue_positions = QueuePositions(sqlite, WORKER_TIMEOUT, still)
    known = submit(sqlite, "known", audio_key="x")
    before = queue_positions.snapshot()
    assert queue_positions.position_of(known).position == 0
    later = submit(sqlite, "later", audio_key="x")
    assert queue_positions.snapshot() is before
    assert queue_positions.position_of(later).position == 1
    queue_positions.add(later, "ward-a")
    last = submit(sqlite, "last", audio_key="x")
    assert queue_positions.position_of(last).position == 2
    assert queue_positions.position_of(last).eta_seconds == 3.0


def test_idle_seconds_count_while_no_worker_makes_progress(database, submit, measured, join_worker):
    join_worker(database)
    measured(database, ended_ago=timedelta(minutes=5))
    submit(database, "a")

    def idle():
        return QueuePositions(database, WORKER_TIMEOUT).snapshot().idle_seconds

    def set_stage(assessment_id, **values):
        with database.writing() as session:
            session.execute(update(StageRow).where(StageRow.assessment_id == assessment_id).values(**values))

    assert idle() < 2
    set_stage("a", created_at=now() - timedelta(minutes=3))
    assert idle() == pytest.approx(180, abs=2)
    set_stage("measured", finished_at=now())
    assert idle() < 2


def test_a_long_stage_does_not_count_as_idle(sqlite, submit, measured, join_worker):
    join_worker(sqlite)
    measured(sqlite, ended_ago=timedelta(minutes=5))
    for name in ("a", "b"):
        submit(sqlite, name)
    with sqlite.writing() as session:
        session.execute(update(StageRow).where(StageRow.state == "ready").values(created_at=now() - timedelta(hours=1)))
        begun = {
            "state": "leased",
            "claimed_at": now() - timedelta(hours=1),
            "lease_until": now() + timedelta(minutes=1),
        }
        session.execute(update(StageRow).where(StageRow.assessment_id == "a").values(**begun))
    assert QueuePositions(sqlite, WORKER_TIMEOUT).snapshot().idle_seconds == 0


def test_a_queue_without_workers_counts_as_idle_while_others_work(sqlite, submit, measured, join_worker):
    join_worker(sqlite, queues=("encode", "score"))
    measured(sqlite)
    submit(sqlite, "a")
    with sqlite.writing() as session:
        session.execute(update(StageRow).where(StageRow.state == "ready").values(created_at=now() - timedelta(hours=1)))
    assert QueuePositions(sqlite, WORKER_TIMEOUT).snapshot().idle_seconds == pytest.approx(3600, abs=2)


def test_clients_poll_soon_after_the_expected_end():
    assert poll_after_seconds(QueuePosition(position=0)) == 2
    assert poll_after_seconds(QueuePosition(position=0, eta_seconds=0.1)) == 1
    assert poll_after_seconds(QueuePosition(position=9, eta_seconds=900.0)) == 60
    assert {poll_after_seconds(QueuePosition(position=1, eta_seconds=30.0)) for _ in range(200)} <= set(range(30, 37))
