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
        audio_seconds=seconds,
    )


def throughput_of(encodes, *, prepare=1.0, score=1.0):
    return throughput_from_samples(
        {
            StageKind.PREPARE: [sample(StageKind.PREPARE, 0, prepare, 60.0, owner="p")],
            StageKind.ENCODE: encodes,
            StageKind.SCORE: [sample(StageKind.SCORE, 0, score, 60.0, owner="s")],
        }
    )


def encode(begin, busy, seconds, **options):
    return sample(StageKind.ENCODE, begin, busy, seconds, **options)


def test_the_fit_separates_the_fixed_part_from_the_part_per_second():
    cost = throughput_of([encode(0, 3, 10.0, owner="a"), encode(0, 5, 20.0, owner="b")]).stage_costs[StageKind.ENCODE]
    assert (cost.fixed, cost.per_audio_second) == pytest.approx((1.0, 0.2))
    assert cost.seconds_for(30.0) == pytest.approx(7.0)
    assert cost.seconds_for(30.0, stages=3) == pytest.approx(9.0)


def test_recordings_of_one_length_cost_per_second():
    cost = throughput_of([encode(0, 4, 10.0, owner="a"), encode(0, 6, 10.0, owner="b")]).stage_costs[StageKind.ENCODE]
    assert (cost.fixed, cost.per_audio_second) == pytest.approx((0.0, 0.5))


def test_neither_part_is_negative_and_the_mean_is_kept():
    falling = throughput_of([encode(0, 6, 10.0, owner="a"), encode(0, 4, 30.0, owner="b")]).stage_costs[
        StageKind.ENCODE
    ]
    assert (falling.fixed, falling.per_audio_second) == pytest.approx((5.0, 0.0))
    steep = throughput_of([encode(0, 1, 10.0, owner="a"), encode(0, 9, 30.0, owner="b")]).stage_costs[StageKind.ENCODE]
    assert (steep.fixed, steep.per_audio_second) == pytest.approx((0.0, 0.25))


def test_stages_without_audio_have_a_fixed_cost():
    cost = throughput_of([encode(0, 4, 0.0, owner="a"), encode(0, 6, None, owner="b")]).stage_costs[StageKind.ENCODE]
    assert (cost.fixed, cost.per_audio_second) == pytest.approx((5.0, 0.0))


def test_the_turnaround_is_part_of_each_stage():
    throughput = throughput_of([encode(0, 4, 10.0), encode(4.5, 4, 10.0)])
    assert throughput.stage_costs[StageKind.ENCODE].fixed == pytest.approx(0.5)
    assert throughput.stage_costs[StageKind.SCORE].fixed == pytest.approx(0.5)


def test_waiting_for_a_new_stage_is_no_turnaround():
    throughput = throughput_of([encode(0, 4, 10.0), encode(60, 4, 10.0, made=59.9)])
    assert throughput.stage_costs[StageKind.ENCODE].fixed == pytest.approx(0.0)


def test_the_throughput_is_unknown_until_each_kind_was_completed_once():
    assert throughput_of([]) is None


def test_the_throughput_is_measured_on_the_stage_rows(database, submit):
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
        throughput = measure_throughput(session)
    assert throughput.stage_costs[StageKind.ENCODE].seconds_for(100.0, 2) == pytest.approx(4.0)
    assert throughput.stage_costs[StageKind.SCORE].seconds_for(50.0) == pytest.approx(1.0)
    assert throughput.chunks(200.0) == pytest.approx(4.0)
    assert (throughput.longest_stage_seconds, throughput.last_finished_at) == (3.0, moment + timedelta(seconds=3))
