from datetime import timedelta

import pytest

from service.admission.simulation import PendingAssessment, added_wait, claim_order, finish_times, slot_pools
from service.admission.throughput import StageCost, Throughput
from service.assessments.states import Priority, StageKind, State
from service.storage.database import now

START = now()
ALL = ("prepare", "encode", "score")
COSTS = {
    StageKind.PREPARE: StageCost(fixed=0.0, per_audio_second=0.1),
    StageKind.ENCODE: StageCost(fixed=0.0, per_audio_second=1.0),
    StageKind.SCORE: StageCost(fixed=1.0, per_audio_second=0.0),
}
THROUGHPUT = Throughput(
    stage_costs=COSTS,
    mean_audio_seconds=10.0,
    chunks_per_audio_second=0.2,
    longest_stage_seconds=5.0,
    last_finished_at=START,
)
"""Ten seconds of audio make two chunks of five seconds each, one second to prepare and one to score: twelve in all."""


def waiting(name, *, after=0, tenant="t", lane=Priority.ROUTINE, state=State.QUEUED, seconds=10.0, **options):
    created_at = START + timedelta(seconds=after)
    return PendingAssessment(
        id=name, tenant=tenant, lane=lane, state=state, created_at=created_at, audio_seconds=seconds, **options
    )


def ends(some, *workers):
    return finish_times(some, THROUGHPUT, slot_pools(workers or [(ALL, 1)]))


def test_claims_go_by_lane_then_started_then_round_robin_over_tenants():
    some = [
        waiting("batch", lane=Priority.BATCH, state=State.ENCODING),
        waiting("a1", after=1, tenant="a"),
        waiting("a2", after=2, tenant="a"),
        waiting("b1", after=3, tenant="b"),
        waiting("begun", after=4, state=State.PREPARING),
    ]
    assert [assessment.id for assessment in claim_order(some)] == ["begun", "a1", "b1", "a2", "batch"]


def test_one_slot_works_serially():
    assert ends([waiting("a"), waiting("b")]) == pytest.approx([12.0, 24.0])


def test_encode_stages_run_in_parallel_and_single_stages_do_not():
    assert ends([waiting("a")], (ALL, 2)) == pytest.approx([7.0])
    assert ends([waiting("a")], (ALL, 9)) == pytest.approx([7.0])


def test_only_remaining_work_counts():
    assert ends([waiting("a", state=State.ENCODING, encode_left=0.5)]) == pytest.approx([6.0])
    assert ends([waiting("a", state=State.ENCODING, encode_left=0.5, seconds_spent=3.0)]) == pytest.approx([3.0])
    assert ends([waiting("a", state=State.SCORING, encode_left=0.0, seconds_spent=9.0)]) == pytest.approx([0.0])


def test_an_unknown_length_counts_as_the_mean_one():
    assert ends([waiting("a", seconds=None)]) == ends([waiting("a", seconds=10.0)])


def test_workers_of_separate_queues_work_in_parallel():
    separate = (("prepare", "score"), 1), (("encode",), 1)
    assert ends([waiting("a"), waiting("b")], *separate) == pytest.approx([12.0, 22.0])
    assert added_wait(THROUGHPUT, slot_pools(separate)) == pytest.approx(10.0)


def test_a_worker_of_all_queues_joins_their_pools():
    pools = slot_pools([(("encode",), 2), (("prepare",), 1), (ALL, 1), (("deliver",), 8)])
    assert {pool.slots for pool in pools.values()} == {4}


def test_pools_are_unknown_when_a_kind_has_no_worker():
    assert slot_pools([(("prepare", "encode"), 3)]) is None


def test_beyond_the_simulated_stages_finish_times_follow_the_total_work():
    many = [waiting(str(number)) for number in range(1500)]
    times = ends(many, (ALL, 2))
    assert times[-1] == pytest.approx(1500 * 6, rel=0.01)
    assert times[499] == pytest.approx(500 * 6, rel=0.01)
    assert times[501] == pytest.approx(502 * 6, rel=0.01)


def test_the_added_wait_is_the_work_over_the_slots():
    assert added_wait(THROUGHPUT, slot_pools([(ALL, 2)])) == pytest.approx(6.0)
    assert added_wait(THROUGHPUT, slot_pools([(ALL, 2)]), 20.0) == pytest.approx(11.5)
