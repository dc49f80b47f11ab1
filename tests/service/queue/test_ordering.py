from sqlalchemy import update

from service.assessments.stages import new_stage
from service.assessments.states import Priority, StageKind
from service.queue.ordering import StageLane, fetch_claimable, stage_lanes
from service.storage.database import now
from service.storage.tables import AssessmentRow, StageRow
from service.worker_registry import LiveWorker

ALL = tuple(StageKind)


def tell(database):
    """Publish everything at this moment."""
    with database.writing() as session:
        session.execute(update(StageRow).where(StageRow.enqueued_at.is_(None)).values(enqueued_at=now()))


def best(database, kinds=ALL, limit=10):
    with database.reading() as session:
        ids = fetch_claimable(session, kinds, now(), limit=limit)
        rows = [session.get(StageRow, stage_id) for stage_id in ids]
    return [(row.assessment_id, row.kind) for row in rows]


def advance(database, assessment_id, kind):
    with database.writing() as session:
        session.execute(update(StageRow).where(StageRow.assessment_id == assessment_id).values(state="done"))
        session.add(new_stage(assessment_id, kind, 0))


def test_a_routine_stage_is_claimed_before_batch_stages_published_earlier(database, submit):
    submit(database, "b", priority=Priority.BATCH)
    tell(database)
    submit(database, "a")
    tell(database)
    assert best(database, limit=1) == [("a", "prepare")]


def test_started_assessments_are_claimed_before_new_ones(database, submit):
    for name in ("one", "two", "three"):
        submit(database, name)
    advance(database, "two", StageKind.ENCODE)
    advance(database, "three", StageKind.SCORE)
    tell(database)
    assert best(database) == [("three", "score"), ("two", "encode"), ("one", "prepare")]


def test_only_stages_of_the_worker_s_own_queues_are_claimed(database, submit):
    submit(database, "one")
    submit(database, "two")
    advance(database, "two", StageKind.ENCODE)
    tell(database)
    assert best(database, (StageKind.ENCODE,)) == [("two", "encode")]


def test_unpublished_stages_are_not_claimed(database, submit):
    submit(database)
    assert best(database) == []


def test_the_next_stages_of_the_same_assessment_are_claimed_without_a_message(database, submit):
    submit(database, "one", priority=Priority.BATCH)
    submit(database, "two", priority=Priority.BATCH)
    with database.reading() as session:
        for after, expected in ((None, []), ("one", ["one"])):
            ids = fetch_claimable(session, ALL, now(), limit=9, after=after)
            assert [session.get(StageRow, stage_id).assessment_id for stage_id in ids] == expected
    submit(database, "urgent")
    tell(database)
    assert best(database, limit=1) == [("urgent", "prepare")]


def living_worker(queues, model, slots=1):
    return LiveWorker(id=f"{model}-{queues}", queues=queues, slots=slots, started_at=now(), model=model)


def test_each_model_has_its_own_lanes_for_started_assessments():
    workers = [
        living_worker(("prepare",), "old"),
        living_worker(("prepare", "encode"), "new", slots=2),
        living_worker(("encode",), "old"),
        living_worker(("encode",), "old"),
    ]
    routine = [lane for lane in stage_lanes(workers) if lane.priority == Priority.ROUTINE]
    assert routine == [
        StageLane(kind=StageKind.PREPARE, priority=Priority.ROUTINE, model=None, slots=3),
        StageLane(kind=StageKind.ENCODE, priority=Priority.ROUTINE, model="new", slots=2),
        StageLane(kind=StageKind.ENCODE, priority=Priority.ROUTINE, model="old", slots=2),
        StageLane(kind=StageKind.SCORE, priority=Priority.ROUTINE, model=None, slots=0),
    ]


def test_a_worker_claims_new_assessments_and_those_of_its_model(database, submit):
    for name in ("mine", "another", "unbegun"):
        submit(database, name)
    for name in ("mine", "another"):
        advance(database, name, StageKind.ENCODE)
        with database.writing() as session:
            session.get(AssessmentRow, name).model_digest = name
    tell(database)
    with database.reading() as session:
        for after in (None, "another"):
            ids = fetch_claimable(session, ALL, now(), limit=9, model="mine", after=after)
            assert [session.get(StageRow, stage_id).assessment_id for stage_id in ids] == ["mine", "unbegun"]
