import pytest
from sqlalchemy import func, select

from service.assessments.repository import AssessmentRepository
from service.assessments.states import Failure, StageState, State
from service.errors.not_found import AssessmentNotFound
from service.errors.request import InvalidRequest
from service.storage.tables import AssessmentRow, StageRow


@pytest.fixture
def act(database, caller):
    def act(verb, *arguments, by=caller, **options):
        with database.writing() as session:
            return getattr(AssessmentRepository(session, by), verb)(*arguments, **options)

    return act


def set_row(database, assessment_id, **values):
    with database.writing() as session:
        row = session.get(AssessmentRow, assessment_id)
        for name, value in values.items():
            setattr(row, name, value)


def test_a_new_assessment_is_queued_with_one_stage(database, submit, act):
    submitted = submit(database)
    assert act("get", "a1") == submitted
    assert submitted.state == State.QUEUED
    with database.reading() as session:
        stage = session.scalars(select(StageRow)).one()
    assert (stage.kind, stage.state, stage.enqueued_at) == ("prepare", "ready", None)


def test_the_rows_of_an_assessment_are_inserted_in_one_transaction(database, submit):
    submit(database, "a1")
    with pytest.raises(Exception, match=r"UNIQUE|unique"):
        submit(database, "a1")
    with database.reading() as session:
        assert session.scalar(select(func.count()).select_from(StageRow)) == 1


@pytest.mark.parametrize("verb", ["get", "cancel", "erase"])
def test_another_tenants_assessment_does_not_exist(database, submit, act, stranger, verb):
    submit(database)
    with pytest.raises(AssessmentNotFound):
        act(verb, "a1", by=stranger)
    assert act("get", "a1").state == State.QUEUED


def test_another_tenants_assessments_are_not_listed(database, submit, act, stranger):
    submit(database)
    assert act("page", limit=10, cursor=None, state=None, by=stranger).items == ()


def test_pages_are_newest_first_and_complete(database, submit, act):
    for number in range(7):
        submit(database, f"a{number}")
    seen, cursor = [], None
    while True:
        page = act("page", limit=3, cursor=cursor, state=None)
        seen += [assessment.id for assessment in page.items]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert seen == ["a6", "a5", "a4", "a3", "a2", "a1", "a0"]


def test_a_page_that_ends_the_list_has_no_cursor(database, submit, act):
    submit(database)
    assert act("page", limit=1, cursor=None, state=None).next_cursor is None


def test_pages_can_be_bound_to_a_state(database, submit, act):
    submit(database, "a1")
    submit(database, "a2")
    act("cancel", "a1")
    page = act("page", limit=10, cursor=None, state=State.CANCELLED)
    assert [assessment.id for assessment in page.items] == ["a1"]


@pytest.mark.parametrize("cursor", ["nonsense", "%%%", "", "MjAyNi0wMy0wMlQwOTozMDowMHxhMQ==", "é"])
def test_a_cursor_of_another_origin_is_refused(act, cursor):
    with pytest.raises(InvalidRequest):
        act("page", limit=10, cursor=cursor, state=None)


def test_cancelling_ends_the_assessment_and_its_stages(database, submit, act):
    submit(database)
    assert act("cancel", "a1") is True
    assert act("get", "a1").state == State.CANCELLED
    assert act("get", "a1").finished_at is not None
    with database.reading() as session:
        assert session.scalars(select(StageRow)).one().state == StageState.CANCELLED


def test_what_has_ended_is_not_cancelled(database, submit, act):
    submit(database)
    set_row(database, "a1", state=State.SUCCEEDED)
    assert act("cancel", "a1") is False
    assert act("get", "a1").state == State.SUCCEEDED


def test_erasing_removes_every_row(database, submit, act):
    submit(database)
    act("cancel", "a1")
    act("erase", "a1")
    with pytest.raises(AssessmentNotFound):
        act("get", "a1")
    with database.reading() as session:
        assert session.scalars(select(StageRow)).all() == []


def test_an_unfinished_assessment_is_not_erased(database, submit, act):
    submit(database)
    act("erase", "a1")
    assert act("get", "a1").state == State.QUEUED


def test_a_failure_is_returned_with_the_assessment(database, submit, act):
    submit(database)
    set_row(
        database,
        "a1",
        state=State.FAILED,
        failure_code="c",
        failure_detail="d",
        failure_advice="a",
        failure_retryable=True,
    )
    assert act("get", "a1").failure == Failure(code="c", detail="d", advice="a", retryable=True)
