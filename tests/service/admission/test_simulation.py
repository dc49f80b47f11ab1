from datetime import timedelta

import pytest

from service.admission.simulation import PendingAssessment, added_wait, claim_order, finish_times, slot_pools
from service.admission.throughput import StageCost, Throughput
from service.assessments.states import Priority, StageKind, State
from service.storage.database import now

START = now()
ALL = ("prepare", "encode", "score")
COSTS = {
    StageKind.PREPARE: StageCost(fixed=0.0, per_second=0.1),
    StageKind.ENCODE: StageCost(fixed=0.0, per_second=1.0),
    StageKind.SCORE: StageCost(fixed=1.0, per_second=0.0),
}
PACE = Throughput(costs=COSTS, seconds=10.0, chunks_per_second=0.2, longest=5.0, latest=START)
"""Ten seconds make two chunks of five seconds' work each; one second before, one after: twelve seconds in all."""


def waiting(name, *, after=0, tenant="t", lane=Priority.ROUTINE, state=State.QUEUED, seconds=10.0, **options):
    created_at = START + timedelta(seconds=after)
    return PendingAssessment(
        id=name, tenant=tenant, lane=lane, state=state, created_at=created_at, seconds=seconds, **options
    )


def ends(some, *workers):
    return finish_times(some, PACE, slot_pools(workers or [(ALL, 1)]))


def test_routine_goes_first_then_what_has_begun_then_tenants_in_turn():
    some = [
        waiting("batch", lane=Priority.BATCH, state=State.ENCODING),
        waiting("a1", after=1, tenant="a"),
        waiting("a2", after=2, tenant="a"),
        waiting("b1", after=3, tenant="b"),
        waiting("begun", after=4, state=State.PREPARING),
    ]
    assert [one.id for one in claim_order(some)] == ["begun", "a1", "b1", "a2", "batch"]


def test_one_slot_does_one_after_the_other():
    assert ends([waiting("a"), waiting("b")]) == pytest.approx([12.0, 24.0])


def test_chunks_are_shared_out_among_slots_but_stages_are_not():
    assert ends([waiting("a")], (ALL, 2)) == pytest.approx([7.0])
    assert ends([waiting("a")], (ALL, 9)) == pytest.approx([7.0])


def test_only_what_is_left_counts():
    assert ends([waiting("a", state=State.ENCODING, left=0.5)]) == pytest.approx([6.0])
    assert ends([waiting("a", state=State.ENCODING, left=0.5, spent=3.0)]) == pytest.approx([3.0])
    assert ends([waiting("a", state=State.SCORING, left=0.0, spent=9.0)]) == pytest.approx([0.0])


def test_an_unknown_length_is_taken_for_the_usual_one():
    assert ends([waiting("a", seconds=None)]) == ends([waiting("a", seconds=10.0)])


def test_workers_of_separate_queues_work_side_by_side():
    separate = (("prepare", "score"), 1), (("encode",), 1)
    assert ends([waiting("a"), waiting("b")], *separate) == pytest.approx([12.0, 22.0])
    assert added_wait(PACE, slot_pools(separate)) == pytest.approx(10.0)


def test_a_worker_of_all_queues_joins_the_others():
    pools = slot_pools([(("encode",), 2), (("prepare",), 1), (ALL, 1), (("deliver",), 8)])
    assert {pool.slots for pool in pools.values()} == {4}


def test_without_a_worker_for_a_kind_there_is_no_telling():
    assert slot_pools([(("prepare", "encode"), 3)]) is None


def test_far_behind_the_queue_is_as_long_as_its_work():
    many = [waiting(str(number)) for number in range(1500)]
    told = ends(many, (ALL, 2))
    assert told[-1] == pytest.approx(1500 * 6, rel=0.01)
    assert told[499] == pytest.approx(500 * 6, rel=0.01)
    assert told[501] == pytest.approx(502 * 6, rel=0.01)


def test_one_more_place_makes_all_behind_it_wait_longer():
    assert added_wait(PACE, slot_pools([(ALL, 2)])) == pytest.approx(6.0)
    assert added_wait(PACE, slot_pools([(ALL, 2)]), 20.0) == pytest.approx(11.5)
