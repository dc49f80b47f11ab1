"""A worker whose connection to a real PostgreSQL ends at one of its commits: no stage is run twice for it."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select

from service.assessments.states import StageState, State
from service.storage.objects import material_prefix
from service.storage.tables import AssessmentRow, StageRow
from service.worker.stage_runner import StageRunner
from tests.service.worker.test_stage_runner import QUICK, WORKER
from tests.wire import Break

CALM = replace(QUICK, renew_interval=timedelta(minutes=1))
MOST_COMMITS = 80


@pytest.fixture
def runner(far_database, objects, model, tmp_path):
    return StageRunner(far_database, objects, model, worker=WORKER, retry=CALM, scratch=tmp_path)


def ready(database):
    with database.reading() as session:
        return list(session.scalars(select(StageRow.id).where(StageRow.state == StageState.READY)))


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
@pytest.mark.parametrize("how", [Break.LOST, Break.UNANSWERED])
def test_each_stage_is_run_once_at_whichever_commit_the_connection_ends(database, wire, runner, submit, objects, how):
    for commit in range(1, MOST_COMMITS):
        name = f"a{commit}"
        submit(database, name, audio_key=objects.put(material_prefix(name), b"x" * 400))
        wire.break_at(commit, how)
        while waiting := ready(database):
            assert runner.run(waiting[0]) == name
        with database.reading() as session:
            assert session.get(AssessmentRow, name).state == State.SUCCEEDED
            attempts = session.scalars(select(StageRow.attempt).where(StageRow.assessment_id == name)).all()
        assert set(attempts) == {1}, f"at commit {commit}"
        if not wire.broke:
            break
    assert commit > 2 * len(attempts)
