"""Ends are counted once they are committed, and only then."""

from datetime import timedelta

import pytest

from service.assessments import lifecycle
from service.assessments.states import State
from service.storage.tables import AssessmentRow


class Stumbled(Exception):
    pass


@pytest.fixture
def finish(sqlite, submit):
    """End an assessment of so many seconds of audio that was sent ten seconds ago."""

    def finish(state, *, audio=100.0, stumble=False):
        submit(sqlite)
        with sqlite.writing() as session:
            row = session.get(AssessmentRow, "a1")
            row.created_at -= timedelta(seconds=10)
            row.audio_seconds = audio
            assert lifecycle.finish(session, row, state)
            assert not lifecycle.finish(session, row, State.FAILED)
            if stumble:
                raise Stumbled

    return finish


def test_an_end_is_counted_by_its_state(finish, counted):
    finish(State.SUCCEEDED)
    assert counted("hilbert_assessments_ended_total", task="spectrum", state="succeeded") == 1
    assert counted("hilbert_assessment_duration_seconds_bucket", priority="routine", state="succeeded", le="10.0") == 0
    assert counted("hilbert_assessment_duration_seconds_bucket", priority="routine", state="succeeded", le="30.0") == 1
    assert counted("hilbert_real_time_factor_bucket", priority="routine", le="0.1") == 0
    assert counted("hilbert_real_time_factor_bucket", priority="routine", le="0.2") == 1


def test_a_transaction_that_is_rolled_back_counts_nothing(finish, counted):
    with pytest.raises(Stumbled):
        finish(State.SUCCEEDED, stumble=True)
    assert counted("hilbert_assessments_ended_total", task="spectrum", state="succeeded") == 0


@pytest.mark.parametrize(("state", "audio"), [(State.ABSTAINED, 100.0), (State.SUCCEEDED, None), (State.FAILED, 0.0)])
def test_without_a_score_or_without_audio_there_is_no_real_time_factor(finish, counted, state, audio):
    finish(state, audio=audio)
    assert counted("hilbert_assessments_ended_total", task="spectrum", state=str(state)) == 1
    assert counted("hilbert_real_time_factor_count", priority="routine") == 0
