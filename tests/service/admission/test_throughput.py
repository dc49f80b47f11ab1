from datetime import timedelta

import pytest
from sqlalchemy import update

from service.admission.throughput import StageSample, measure_throughput, throughput_from_samples
from service.assessments.states import StageKind
from service.storage.database import now
from service.storage.tables import AssessmentRow, StageRow

START = now()


def sample(kind, begin, busy, seconds, *, owner="w1", made=0.0):
    return StageSample(
        kind=kind,
        owner=owner,
        created_at=START + timedelta(seconds=made),
        claimed_at=START + timedelta(seconds=begin),
        finished_at=START + timedelta(seconds=begin + busy),
        seconds=seconds,
    )


def pace(encodes, *, prepare=1.0, score=1.0):
    return throughput_from_samples(
        {
            StageKind.PREPARE: [sample(StageKind.PREPARE, 0, prepare, 60.0, owner="p")],
            StageKind.ENCODE: encodes,
            StageKind.SCORE: [sample(StageKind.SCORE, 0, score, 60.0, owner="s")],
        }
    )


def encode(begin, busy, seconds, **options):
    return sample(StageKind.ENCODE, begin, busy, seconds, **options)


def test_a_fixed_part_and_a_part_for_each_second_are_told_apart():
    cost = pace([encode(0, 3, 10.0, owner="a"), encode(0, 5, 20.0, owner="b")]).costs[StageKind.ENCODE]
    assert (cost.fixed, cost.per_second) == pytest.approx((1.0, 0.2))
    assert cost.of(30.0) == pytest.approx(7.0)
    assert cost.of(30.0, stages=3) == pytest.approx(9.0)


def test_recordings_of_one_length_cost_by_the_second():
    cost = pace([encode(0, 4, 10.0, owner="a"), encode(0, 6, 10.0, owner="b")]).costs[StageKind.ENCODE]
    assert (cost.fixed, cost.per_second) == pytest.approx((0.0, 0.5))


def test_no_part_is_below_zero_and_the_mean_stays():
    falling = pace([encode(0, 6, 10.0, owner="a"), encode(0, 4, 30.0, owner="b")]).costs[StageKind.ENCODE]
    assert (falling.fixed, falling.per_second) == pytest.approx((5.0, 0.0))
    steep = pace([encode(0, 1, 10.0, owner="a"), encode(0, 9, 30.0, owner="b")]).costs[StageKind.ENCODE]
    assert (steep.fixed, steep.per_second) == pytest.approx((0.0, 0.25))


def test_without_any_sound_a_stage_costs_what_it_costs():
    cost = pace([encode(0, 4, 0.0, owner="a"), encode(0, 6, None, owner="b")]).costs[StageKind.ENCODE]
    assert (cost.fixed, cost.per_second) == pytest.approx((5.0, 0.0))


def test_what_a_worker_needs_between_two_stages_belongs_to_each_of_them():
    found = pace([encode(0, 4, 10.0), encode(4.5, 4, 10.0)])
    assert found.costs[StageKind.ENCODE].fixed == pytest.approx(0.5)
    assert found.costs[StageKind.SCORE].fixed == pytest.approx(0.5)


def test_a_worker_that_had_nothing_to_do_needed_no_time():
    found = pace([encode(0, 4, 10.0), encode(60, 4, 10.0, made=59.9)])
    assert found.costs[StageKind.ENCODE].fixed == pytest.approx(0.0)


def test_until_each_kind_was_done_once_nothing_is_known():
    assert pace([]) is None


def test_the_stages_of_the_database_are_measured(database, submit):
    submit(database)
    moment = now()
    with database.writing() as session:
        session.execute(update(AssessmentRow).values(audio_seconds=100.0, segments_total=20))
        session.execute(update(StageRow).values(state="done", claimed_at=moment, finished_at=moment, owner="w1"))
        stages = [("encode", 0, 15, 3.0), ("encode", 1, 5, 1.0), ("score", 0, 0, 2.0)]
        for kind, index, segments, busy in stages:
            session.add(
                StageRow(
                    id=f"{kind}{index}",
                    assessment_id="a1",
                    kind=kind,
                    index=index,
                    state="done",
                    segments=segments,
                    fence=1,
                    attempt=1,
                    created_at=moment,
                    owner=f"{kind}{index}",
                    claimed_at=moment,
                    finished_at=moment + timedelta(seconds=busy),
                )
            )
    with database.reading() as session:
        found = measure_throughput(session)
    assert found.costs[StageKind.ENCODE].of(100.0, 2) == pytest.approx(4.0)
    assert found.costs[StageKind.SCORE].of(50.0) == pytest.approx(1.0)
    assert found.chunks(200.0) == pytest.approx(4.0)
    assert (found.longest, found.latest) == (3.0, moment + timedelta(seconds=3))
