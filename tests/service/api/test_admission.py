"""The door over HTTP: who is refused, when, and what becomes of the rest."""

import dataclasses

import pytest
from sqlalchemy import select

from service.admission.admission import AdmissionController, AdmissionLimits
from service.storage.tables import AssessmentRow, ReservationRow

WAV = b"RIFF\x00\x00\x00\x00WAVE" + b"x" * 500


@pytest.fixture
def full(api):
    """A service whose lanes hold one assessment each."""
    parts = api.client.app.state.components
    limits = AdmissionLimits(max_wait=parts.settings.max_queue_wait, max_depth=1, tenant_share=0)
    api.client.app.state.components = dataclasses.replace(
        parts, admission=AdmissionController(parts.database, parts.queue_positions, limits)
    )
    assert api.post(audio=WAV).status_code == 202
    return api


def test_a_submission_is_refused_before_its_body_with_a_retry_after(full):
    def body():
        raise AssertionError("the body was read")
        yield b""

    headers = full.headers() | {"Content-Type": "multipart/form-data; boundary=x"}
    response = full.client.post("/v1/assessments", content=body(), headers=headers)
    assert (response.status_code, response.json()["code"]) == (503, "overloaded")
    assert response.json()["retryable"] is True
    assert int(response.headers["retry-after"]) >= 1
    assert len(full.stored()) == 1


def test_a_request_without_an_api_key_reserves_no_capacity(full):
    assert full.client.post("/v1/assessments", files={"audio": ("x", WAV)}).status_code == 401
    with full.database.reading() as session:
        assert session.scalars(select(ReservationRow)).all() == []


def test_the_address_sends_to_the_batch_lane(full):
    path = "/v1/assessments?priority=batch"
    assert full.client.post(path, files={"audio": ("x", WAV)}, headers=full.headers()).status_code == 202
    with full.database.reading() as session:
        assert sorted(session.scalars(select(AssessmentRow.priority))) == ["batch", "routine"]
    response = full.client.post(path, files={"audio": ("x", WAV)}, headers=full.headers())
    assert (response.status_code, response.json()["code"]) == (503, "overloaded")


def test_two_priorities_in_one_request_are_refused(api):
    data = {"metadata": '{"priority": "routine"}'}
    path = "/v1/assessments?priority=batch"
    response = api.client.post(path, files={"audio": ("x", WAV)}, data=data, headers=api.headers())
    assert response.json()["errors"][0]["location"] == "metadata.priority"
    assert api.stored() == []
    assert api.post(audio=WAV, metadata={"priority": "batch"}).status_code == 202


def test_reading_and_deleting_are_never_refused(full):
    (item,) = full.get("/v1/assessments").json()["items"]
    assert full.get(item["links"]["self"]).status_code == 200
    assert full.delete(item["links"]["self"]).status_code == 204


def test_a_refused_body_releases_its_admission(api):
    admission = api.client.app.state.components.admission
    assert api.post(audio=b"not audio at all, really").status_code == 415
    assert admission.in_progress == 0
    assert api.post(audio=WAV).status_code == 202
    assert admission.in_progress == 0
