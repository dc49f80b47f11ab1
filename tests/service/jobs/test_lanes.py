from sqlalchemy import update

from service.jobs.assessment import Priority, StageKind
from service.jobs.lanes import next_to_claim
from service.jobs.stages import new_stage
from service.storage.database import now
from service.storage.tables import StageRow

ALL = tuple(StageKind)


def tell(database):
    """Publish everything at this moment."""
    with database.writing() as session:
        session.execute(update(StageRow).where(StageRow.enqueued_at.is_(None)).values(enqueued_at=now()))


def best(database, kinds=ALL, limit=10):
    with database.reading() as session:
        ids = next_to_claim(session, kinds, now(), limit=limit)
        rows = [session.get(StageRow, stage_id) for stage_id in ids]
    return [(row.assessment_id, row.kind) for row in rows]


def advance(database, assessment_id, kind):
    with database.writing() as session:
        session.execute(update(StageRow).where(StageRow.assessment_id == assessment_id).values(state="done"))
        session.add(new_stage(assessment_id, kind, 0))


def test_a_routine_stage_is_claimed_before_batch_stages_that_were_told_of_earlier(database, submit):
    submit(database, "b", priority=Priority.BATCH)
    tell(database)
    submit(database, "a")
    tell(database)
    assert best(database, limit=1) == [("a", "prepare")]


def test_what_has_begun_is_ended_before_anything_begins(database, submit):
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


def test_what_workers_were_not_told_of_is_not_claimed(database, submit):
    submit(database)
    assert best(database) == []
