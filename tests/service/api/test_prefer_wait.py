import time

import pytest

from service.api.prefer_wait import parse_wait
from service.assessments import lifecycle
from service.assessments.states import State
from service.storage.tables import AssessmentRow
from tests.service.api.background import soon
from tests.waiting import wait_for

WAV = b"RIFF\x00\x00\x00\x00WAVE" + b"x" * 500


@pytest.mark.parametrize(
    ("preferences", "seconds"),
    [
        (["wait=10"], 10),
        (["respond-async, WAIT = 10; strict"], 10),
        (['return=minimal, wait="7"'], 7),
        (["respond-async", "wait=3"], 3),
        (["wait=5, wait=9"], 5),
        (["wait=0"], 0),
        (["wait=-1"], None),
        (["wait=soon, wait=9"], None),
        (["wait"], None),
        (["wait=1.5"], None),
        (["await=5"], None),
        (["wait=9999999999"], None),
        ([], None),
    ],
)
def test_the_first_wait_counts_and_what_makes_no_sense_is_ignored(preferences, seconds):
    assert parse_wait(preferences) == seconds


def finish(api, assessment_id):
    with api.database.writing() as session:
        lifecycle.finish(session, session.get(AssessmentRow, assessment_id), State.CANCELLED)


def timed(call):
    started = time.monotonic()
    return call(), time.monotonic() - started


def look(api, assessment_id, prefer):
    headers = api.headers() | {"Prefer": prefer}
    return api.client.get(f"/v1/assessments/{assessment_id}", headers=headers)


def test_a_look_that_may_wait_answers_at_the_end(api):
    sent = api.post(audio=WAV).json()["id"]
    with soon(0.3, finish, api, sent):
        response, seconds = timed(lambda: look(api, sent, "wait=20"))
    assert (response.status_code, response.json()["state"]) == (200, "cancelled")
    assert response.headers["preference-applied"] == "wait=20"
    assert 0.3 < seconds < 10
    assert api.client.app.state.components.change_feed.subscribers == 0


def test_after_its_seconds_the_answer_is_what_there_is(api):
    sent = api.post(audio=WAV).json()["id"]
    response, seconds = timed(lambda: look(api, sent, "wait=1"))
    assert (response.status_code, response.json()["state"]) == (200, "queued")
    assert response.headers["retry-after"] == "2"
    assert 1 <= seconds < 5


def test_an_ended_assessment_is_not_waited_for(api):
    sent = api.post(audio=WAV).json()["id"]
    finish(api, sent)
    response, seconds = timed(lambda: look(api, sent, "wait=20"))
    assert (response.json()["state"], response.headers["preference-applied"]) == ("cancelled", "wait=20")
    assert seconds < 5


def test_a_wait_is_bounded_by_the_setting(api):
    sent = api.post(audio=WAV).json()["id"]
    finish(api, sent)
    assert look(api, sent, "wait=86400").headers["preference-applied"] == "wait=30"
    assert "preference-applied" not in look(api, sent, "wait=soon").headers


def test_a_submission_may_wait_for_its_end_too(api):
    def finish_any():
        listed = wait_for(lambda: api.get("/v1/assessments").json()["items"], every=0.1)
        finish(api, listed[0]["id"])

    headers = api.headers() | {"Prefer": "wait=20"}
    with soon(0.5, finish_any):
        response, seconds = timed(
            lambda: api.client.post("/v1/assessments", files={"audio": ("x", WAV)}, headers=headers)
        )
    assert (response.status_code, response.json()["state"]) == (202, "cancelled")
    assert response.headers["location"].endswith(response.json()["id"])
    assert "retry-after" not in response.headers
    assert seconds < 10


def test_a_wait_occupies_no_thread(api):
    """More wait than there are threads, and a look beside them is answered while every one of them still waits."""
    sent = api.post(audio=WAV).json()["id"]
    waiting = [soon(0, look, api, sent, "wait=30") for _ in range(60)]
    for one in waiting:
        one.__enter__()
    watcher = api.client.app.state.components.change_feed
    wait_for(lambda: watcher.subscribers == 60)
    assert (api.get(f"/v1/assessments/{sent}").status_code, watcher.subscribers) == (200, 60)
    finish(api, sent)
    for one in waiting:
        one.__exit__(None, None, None)
    assert watcher.subscribers == 0
