"""The queue itself, on both databases: claims, fences, completion."""

import threading
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from service.assessments.repository import AssessmentRepository
from service.assessments.stages import StageRepository
from service.assessments.states import INTERNAL_FAILURE, WORKERS_LOST, StageKind, StageState, State, StoredChunk
from service.errors.tree import FenceLost
from service.storage.database import now
from service.storage.tables import AssessmentRow, StageRow

LEASE = timedelta(seconds=60)
ATTEMPTS = 3
SILENCE = timedelta(seconds=30)


@pytest.fixture
def queue(database, submit):
    submit(database)
    return Queue(database)


class Queue:
    """Drives the stages of assessment `a1` as workers do."""

    def __init__(self, database):
        self.database = database

    def stage_ids(self, kind):
        with self.database.reading() as session:
            query = select(StageRow.id).where(StageRow.kind == kind).order_by(StageRow.index)
            return list(session.scalars(query))

    def claim(self, kind=StageKind.PREPARE, index=0, *, worker="w1"):
        with self.database.writing() as session:
            return StageRepository(session, worker).claim(self.stage_ids(kind)[index], LEASE, ATTEMPTS)

    def act(self, verb, *arguments, **options):
        with self.database.writing() as session:
            return getattr(StageRepository(session, "w1"), verb)(*arguments, **options)

    def expire(self):
        with self.database.writing() as session:
            session.execute(
                update(StageRow).where(StageRow.state == "leased").values(lease_until=now() - timedelta(seconds=1))
            )

    def prepare(self, *sizes):
        chunks = [StoredChunk(key=f"chunk-{i}", segments=size) for i, size in enumerate(sizes)]
        self.act("complete_prepare", self.claim(), "summary", chunks, seconds=60.0)

    def assessment(self):
        with self.database.reading() as session:
            return session.get(AssessmentRow, "a1")

    def stage(self, kind, index=0):
        with self.database.reading() as session:
            return session.get(StageRow, self.stage_ids(kind)[index])


def test_a_claim_takes_the_stage_and_moves_the_assessment(queue):
    claim = queue.claim()
    assert (claim.fence, claim.attempt, claim.kind, claim.index) == (1, 1, StageKind.PREPARE, 0)
    assert (claim.assessment_id, claim.task, claim.request_id) == ("a1", "spectrum", "r1")
    assert queue.stage(StageKind.PREPARE).owner == "w1"
    assert queue.assessment().state == State.PREPARING


def test_a_claimed_stage_cannot_be_claimed_again(queue):
    queue.claim()
    assert queue.claim(worker="w2") is None


def test_one_of_many_claims_at_once_wins(queue):
    claims, barrier = [], threading.Barrier(4)

    def claim(worker):
        barrier.wait()
        claims.append(queue.claim(worker=worker))

    threads = [threading.Thread(target=claim, args=(f"w{number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(claim is None for claim in claims) == [False, True, True, True]


def test_an_unknown_stage_is_not_to_be_had(queue):
    assert queue.act("claim", "no-such-stage", LEASE, ATTEMPTS) is None


def test_an_expired_lease_can_be_taken_over_with_a_higher_fence(queue):
    queue.claim()
    queue.expire()
    assert queue.claim(worker="w2").fence == 2


def test_a_stale_attempt_cannot_complete(queue):
    stale = queue.claim()
    queue.expire()
    queue.claim(worker="w2")
    with pytest.raises(FenceLost):
        queue.act("complete_prepare", stale, "summary", [], seconds=60.0)
    assert queue.stage_ids(StageKind.SCORE) == []
    assert queue.assessment().state == State.PREPARING


def test_a_stale_attempt_can_neither_renew_nor_fail_nor_retry(queue):
    stale = queue.claim()
    queue.expire()
    queue.claim(worker="w2")
    assert queue.act("renew", stale, LEASE) is False
    with pytest.raises(FenceLost):
        queue.act("fail", stale, INTERNAL_FAILURE)
    with pytest.raises(FenceLost):
        queue.act("retry", stale, timedelta(0))
    assert queue.assessment().state == State.PREPARING


def test_renewing_moves_the_end_of_the_lease(queue):
    claim = queue.claim()
    queue.expire()
    assert queue.act("renew", claim, LEASE) is True
    assert queue.stage(StageKind.PREPARE).lease_until > now()


def test_a_stage_out_of_attempts_is_not_to_be_had(queue):
    for _ in range(ATTEMPTS):
        assert queue.claim() is not None
        queue.expire()
    assert queue.claim() is None


def test_a_prepared_recording_becomes_encode_stages(queue):
    queue.prepare(16, 5)
    assert [queue.stage(StageKind.ENCODE, i).input_key for i in range(2)] == ["chunk-0", "chunk-1"]
    assert queue.assessment().state == State.ENCODING
    assert (queue.assessment().segments_done, queue.assessment().segments_total) == (0, 21)


def test_without_segments_scoring_comes_next(queue):
    queue.prepare()
    assert queue.stage_ids(StageKind.ENCODE) == []
    assert len(queue.stage_ids(StageKind.SCORE)) == 1
    assert queue.assessment().state == State.SCORING


def test_progress_counts_segments_and_the_last_chunk_brings_the_score(queue):
    queue.prepare(16, 5)
    queue.act("complete_encode", queue.claim(StageKind.ENCODE, 1), "features-1")
    assert queue.assessment().segments_done == 5
    assert queue.stage_ids(StageKind.SCORE) == []
    queue.act("complete_encode", queue.claim(StageKind.ENCODE, 0), "features-0")
    assert queue.assessment().segments_done == 21
    assert queue.assessment().state == State.SCORING
    assert len(queue.stage_ids(StageKind.SCORE)) == 1


def test_chunks_finished_at_once_bring_one_score(queue):
    queue.prepare(*[1] * 6)
    claims = [queue.claim(StageKind.ENCODE, index) for index in range(6)]
    barrier = threading.Barrier(len(claims))

    def finish(claim):
        barrier.wait()
        queue.act("complete_encode", claim, f"features-{claim.index}")

    threads = [threading.Thread(target=finish, args=(claim,)) for claim in claims]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(queue.stage_ids(StageKind.SCORE)) == 1
    assert queue.assessment().segments_done == 6


def test_scoring_reads_the_features_in_order(queue):
    queue.prepare(1, 1, 1)
    for index in (2, 0, 1):
        queue.act("complete_encode", queue.claim(StageKind.ENCODE, index), f"features-{index}")
    inputs = queue.act("score_inputs", queue.claim(StageKind.SCORE))
    assert inputs.summary_key == "summary"
    assert inputs.feature_keys == ("features-0", "features-1", "features-2")


@pytest.mark.parametrize(("scored", "state"), [(True, State.SUCCEEDED), (False, State.ABSTAINED)])
def test_the_result_ends_the_assessment(queue, scored, state):
    queue.prepare()
    queue.act("complete_assessment", queue.claim(StageKind.SCORE), "result", scored=scored)
    assessment = queue.assessment()
    assert (assessment.state, assessment.result_key) == (state, "result")
    assert assessment.finished_at is not None


def test_a_final_state_never_changes(queue, caller):
    queue.prepare()
    claim = queue.claim(StageKind.SCORE)
    with queue.database.writing() as session:
        assert AssessmentRepository(session, caller).cancel("a1")
    with pytest.raises(FenceLost):
        queue.act("complete_assessment", claim, "result", scored=True)
    assert queue.assessment().state == State.CANCELLED
    assert queue.assessment().result_key is None


def test_a_retried_stage_waits_for_its_delay(queue):
    claim = queue.claim()
    queue.act("retry", claim, timedelta(seconds=60))
    assert queue.claim() is None
    assert queue.stage(StageKind.PREPARE).state == StageState.READY


def test_a_retried_stage_keeps_its_count_of_attempts(queue):
    queue.act("retry", queue.claim(), timedelta(0))
    claim = queue.claim()
    assert (claim.attempt, claim.fence) == (2, 2)


def test_a_failure_ends_the_assessment_and_drops_its_other_stages(queue):
    queue.prepare(1, 1)
    queue.act("fail", queue.claim(StageKind.ENCODE, 0), INTERNAL_FAILURE)
    assert queue.assessment().state == State.FAILED
    assert queue.assessment().failure_code == "internal_error"
    assert [queue.stage(StageKind.ENCODE, i).state for i in range(2)] == [StageState.FAILED, StageState.CANCELLED]


def test_an_expired_stage_is_made_ready_again(queue):
    queue.claim()
    queue.expire()
    assert queue.act("stalled", SILENCE, 10) == queue.stage_ids(StageKind.PREPARE)
    queue.act("reclaim", queue.stage_ids(StageKind.PREPARE)[0], SILENCE, ATTEMPTS, WORKERS_LOST)
    stage = queue.stage(StageKind.PREPARE)
    assert (stage.state, stage.owner, stage.enqueued_at) == (StageState.READY, None, None)


def test_an_expired_stage_out_of_attempts_fails_the_assessment_with_a_reason(queue):
    for _ in range(ATTEMPTS):
        queue.claim()
        queue.expire()
    queue.act("reclaim", queue.stage_ids(StageKind.PREPARE)[0], SILENCE, ATTEMPTS, WORKERS_LOST)
    assert queue.assessment().state == State.FAILED
    assert queue.assessment().failure_code == "workers_lost"


def test_a_renewed_stage_is_not_reclaimed(queue):
    claim = queue.claim()
    queue.expire()
    queue.act("renew", claim, LEASE)
    queue.act("reclaim", claim.stage_id, SILENCE, ATTEMPTS, WORKERS_LOST)
    assert queue.stage(StageKind.PREPARE).state == StageState.LEASED


def test_reclaiming_an_erased_stage_does_nothing(queue):
    queue.act("reclaim", "no-such-stage", SILENCE, ATTEMPTS, WORKERS_LOST)
    assert queue.stage(StageKind.PREPARE).state == StageState.READY


def with_model(queue, model, verb, *arguments, **options):
    with queue.database.writing() as session:
        return getattr(StageRepository(session, "w1", model), verb)(*arguments, **options)


def test_an_assessment_continues_with_the_model_that_started_it(queue):
    claim = with_model(queue, "one", "claim", queue.stage_ids(StageKind.PREPARE)[0], LEASE, ATTEMPTS)
    chunks = [StoredChunk(key="chunk", segments=3)]
    with_model(queue, "one", "complete_prepare", claim, "summary", chunks, seconds=60.0)
    (encode,) = queue.stage_ids(StageKind.ENCODE)
    assert with_model(queue, "another", "claim", encode, LEASE, ATTEMPTS) is None
    assert with_model(queue, None, "claim", encode, LEASE, ATTEMPTS) is None
    with_model(queue, "one", "complete_encode", with_model(queue, "one", "claim", encode, LEASE, ATTEMPTS), "features")
    (score,) = queue.stage_ids(StageKind.SCORE)
    assert with_model(queue, "another", "claim", score, LEASE, ATTEMPTS) is None
    assert with_model(queue, "one", "claim", score, LEASE, ATTEMPTS) is not None


def test_an_assessment_without_a_model_digest_takes_that_of_the_next_completed_stage(queue):
    queue.prepare(1, 1)
    stages = queue.stage_ids(StageKind.ENCODE)
    claims = [with_model(queue, "ab"[index], "claim", stages[index], LEASE, ATTEMPTS) for index in range(2)]
    with_model(queue, "a", "complete_encode", claims[0], "features")
    assert queue.assessment().model_digest == "a"
    with pytest.raises(FenceLost):
        with_model(queue, "b", "complete_encode", claims[1], "features")


def test_the_claimed_duration_of_a_refused_file_is_forgotten(queue):
    with queue.database.writing() as session:
        session.execute(update(AssessmentRow).values(audio_seconds=86_400.0))
    queue.act("complete_assessment", queue.claim(), "result", scored=False)
    assert queue.assessment().state == State.ABSTAINED
    assert queue.assessment().audio_seconds is None
