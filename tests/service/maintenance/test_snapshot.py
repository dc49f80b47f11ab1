"""Numbers of the queue, on both databases."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text, update
from sqlalchemy.exc import SQLAlchemyError

from service.assessments.repository import AssessmentRepository
from service.assessments.states import Priority, StageKind
from service.maintenance.snapshot import read_snapshot
from service.storage.database import Database, now
from service.storage.tables import DeliveryRow, StageRow
from service.webhooks.repository import WebhookRepository

SILENCE = timedelta(seconds=30)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def set_stage(database):
    """Change the stages of an assessment."""

    def set_stage(assessment_id, **values):
        with database.writing() as session:
            session.execute(update(StageRow).where(StageRow.assessment_id == assessment_id).values(**values))

    return set_stage


def look_too_long(database):
    with database.reading() as session:
        session.execute(text("SELECT set_config('statement_timeout', '20', true)"))
        session.execute(text("SELECT pg_sleep(5)"))


def stages(database):
    lines = read_snapshot(database, SILENCE).stages
    return {(line.kind, line.priority, line.state): (line.count, round(line.oldest)) for line in lines}


def test_the_snapshot_of_an_empty_service_is_empty(database):
    state = read_snapshot(database, SILENCE)
    assert (state.stages, state.deliveries, state.unfinished, state.workers, state.models) == ((),) * 5


def test_stages_are_counted_by_kind_lane_and_state(database, submit, set_stage):
    for name, priority in (("a1", Priority.ROUTINE), ("a2", Priority.ROUTINE), ("a3", Priority.BATCH)):
        submit(database, name, priority=priority)
    set_stage("a1", created_at=now() - MINUTE)
    set_stage("a3", state="leased", lease_until=now() + MINUTE)
    assert stages(database) == {
        (StageKind.PREPARE, Priority.ROUTINE, "ready"): (2, 60),
        (StageKind.PREPARE, Priority.BATCH, "leased"): (1, 0),
    }


def test_a_delayed_stage_waits_from_the_moment_it_is_due(database, submit, set_stage):
    submit(database)
    set_stage("a1", created_at=now() - 3 * MINUTE, not_before=now() + MINUTE)
    assert list(stages(database)) == [(StageKind.PREPARE, Priority.ROUTINE, "delayed")]
    set_stage("a1", not_before=now() - MINUTE)
    assert list(stages(database).values()) == [(1, 60)]


def test_a_stage_taken_back_waits_from_its_last_claim(database, submit, set_stage):
    submit(database)
    set_stage("a1", created_at=now() - 3 * MINUTE, claimed_at=now() - MINUTE)
    assert list(stages(database).values()) == [(1, 60)]


def test_ended_assessments_are_not_counted(database, submit, caller):
    for name in ("a1", "a2"):
        submit(database, name)
    with database.writing() as session:
        AssessmentRepository(session, caller).cancel("a1")
    state = read_snapshot(database, SILENCE)
    assert [(line.state, line.priority, line.count) for line in state.unfinished] == [("queued", Priority.ROUTINE, 1)]
    assert [line.count for line in state.stages] == [1]


def test_deliveries_are_counted_by_whether_they_are_due(database, add_webhook, caller):
    issued = add_webhook(database)
    with database.writing() as session:
        for _ in range(3):
            WebhookRepository(session, caller).test(issued.webhook.id)
        session.flush()
        ids = list(session.scalars(DeliveryRow.__table__.select().with_only_columns(DeliveryRow.id)))
        changes: list[dict[str, Any]] = [
            {"created_at": now() - MINUTE},
            {"not_before": now() + MINUTE},
            {"state": "leased"},
        ]
        for delivery_id, values in zip(ids, changes, strict=True):
            session.execute(update(DeliveryRow).where(DeliveryRow.id == delivery_id).values(**values))
    lines = {line.state: (line.count, round(line.oldest)) for line in read_snapshot(database, SILENCE).deliveries}
    assert lines == {"ready": (1, 60), "delayed": (1, 0), "leased": (1, 0)}


def test_only_live_workers_and_current_models_are_listed(database, join_worker):
    join_worker(database, "w1")
    join_worker(database, "w2", queues=("deliver",), model=None)
    state = read_snapshot(database, SILENCE)
    assert {worker.id for worker in state.workers} == {"w1", "w2"}
    assert [model.bundle for model in state.models] == ["rehearsal"]
    assert read_snapshot(database, timedelta(0)).workers == ()


def test_postgresql_cancels_a_slow_snapshot_query_and_nothing_else(postgres_url):
    database = Database(postgres_url)
    with pytest.raises(SQLAlchemyError):
        look_too_long(database)
    read_snapshot(database, SILENCE)
    with database.reading() as session:
        assert session.scalar(text("SHOW statement_timeout")) == "0"
    database.close()
