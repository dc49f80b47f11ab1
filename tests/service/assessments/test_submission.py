import pytest
from sqlalchemy import select

from service.assessments.states import NewAssessment, Priority, State
from service.assessments.submission import find_model, submit
from service.errors.request import UnknownTask
from service.errors.unavailable import ModelNotReady
from service.storage.tables import AssessmentRow


def test_a_submission_is_kept(database, caller):
    order = NewAssessment(
        id="a1",
        task="spectrum",
        reference="visit-1",
        priority=Priority.BATCH,
        bundle="demo",
        request_id="r1",
        audio_key="k",
        transcript_key=None,
    )
    assert submit(database, caller, order).state == State.QUEUED
    with database.reading() as session:
        row = session.scalars(select(AssessmentRow)).one()
    assert (row.tenant, row.reference, row.priority, row.audio_key) == ("ward-a", "visit-1", "batch", "k")


def test_the_model_of_a_task_is_found(database, join_worker, loaded_model):
    join_worker(database)
    assert find_model(database, "spectrum") == loaded_model


def test_an_unknown_task_is_refused_with_the_known_ones(database, join_worker):
    join_worker(database)
    with pytest.raises(UnknownTask, match="spectrum") as refusal:
        find_model(database, "mood")
    assert "mood" not in refusal.value.detail


def test_without_a_model_nothing_is_taken(database):
    with pytest.raises(ModelNotReady):
        find_model(database, "spectrum")
