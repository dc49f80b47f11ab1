import pytest
from sqlalchemy import update

from service.api.openapi.examples import RESULT
from service.assessments.states import State
from service.storage.database import now
from service.storage.objects import ObjectStore, result_prefix
from service.storage.tables import AssessmentRow

WAV = b"RIFF\x00\x00\x00\x00WAVE" + b"x" * 500


@pytest.fixture
def sent(api):
    return api.post(audio=WAV).json()["id"]


def set_state(api, assessment_id, state, **values):
    with api.database.writing() as session:
        statement = update(AssessmentRow).where(AssessmentRow.id == assessment_id)
        session.execute(statement.values(state=state, finished_at=now(), **values))


def finish(api, assessment_id):
    objects = ObjectStore((api.folder / "objects").as_uri())
    key = objects.put(result_prefix(assessment_id), RESULT.model_dump_json().encode())
    set_state(api, assessment_id, State.SUCCEEDED, result_key=key)
    return key


def test_an_unfinished_assessment_has_a_retry_after(api, sent):
    response = api.get(f"/v1/assessments/{sent}")
    assert response.status_code == 200
    assert response.headers["retry-after"] == "2"
    assert response.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("state", "stage"),
    [("queued", "queued"), ("preparing", "prepare"), ("encoding", "encode"), ("scoring", "score"), ("failed", None)],
)
def test_the_stage_follows_the_state(api, sent, state, stage):
    set_state(api, sent, state)
    assert api.get(f"/v1/assessments/{sent}").json()["progress"]["stage"] == stage


def test_a_finished_assessment_has_its_result_and_no_hint_to_wait(api, sent):
    finish(api, sent)
    response = api.get(f"/v1/assessments/{sent}")
    assert response.json()["result"] == RESULT.model_dump(mode="json")
    assert "retry-after" not in response.headers


def test_a_failed_assessment_says_why(api, sent):
    set_state(
        api,
        sent,
        State.FAILED,
        failure_code="internal_error",
        failure_detail="d",
        failure_advice="a",
        failure_retryable=True,
    )
    error = api.get(f"/v1/assessments/{sent}").json()["error"]
    assert error == {"code": "internal_error", "detail": "d", "advice": "a", "retryable": True}


@pytest.mark.parametrize("method", ["GET", "DELETE"])
@pytest.mark.parametrize("foreign", [True, False])
def test_foreign_and_unknown_ids_look_the_same(api, sent, method, foreign):
    path = f"/v1/assessments/{sent if foreign else 'unknown'}"
    response = api.client.request(method, path, headers=api.headers(api.foreign_key))
    assert response.status_code == 404
    assert response.json()["code"] == "assessment_not_found"
    assert api.get(f"/v1/assessments/{sent}").json()["state"] == "queued"


def test_lists_are_cut_into_pages_without_results(api):
    ids = [api.post(audio=WAV).json()["id"] for _ in range(3)]
    first = api.get("/v1/assessments", params={"limit": 2}).json()
    second = api.get("/v1/assessments", params={"limit": 2, "cursor": first["next_cursor"]}).json()
    assert [item["id"] for item in first["items"] + second["items"]] == ids[::-1]
    assert second["next_cursor"] is None
    assert "result" not in first["items"][0]


def test_lists_can_be_bound_to_a_state(api, sent):
    assert api.get("/v1/assessments", params={"state": "succeeded"}).json()["items"] == []
    finish(api, sent)
    assert len(api.get("/v1/assessments", params={"state": "succeeded"}).json()["items"]) == 1


def test_another_tenant_lists_its_own_alone(api, sent):
    assert api.get("/v1/assessments", key=api.foreign_key).json()["items"] == []


@pytest.mark.parametrize("query", [{"limit": 0}, {"limit": 101}, {"limit": "Ada"}, {"state": "Ada"}, {"cursor": "Ada"}])
def test_wrong_queries_are_refused_without_quoting_them(api, query):
    response = api.get("/v1/assessments", params=query)
    assert response.status_code == 422
    assert response.json()["code"] == "invalid_request"
    assert response.json()["errors"][0]["location"] == f"query.{next(iter(query))}"
    assert "Ada" not in response.text


def test_deleting_an_unfinished_assessment_cancels_it(api, sent):
    response = api.delete(f"/v1/assessments/{sent}")
    assert (response.status_code, response.content) == (204, b"")
    assert api.get(f"/v1/assessments/{sent}").json()["state"] == "cancelled"
    assert api.stored() == []


def test_deleting_a_finished_assessment_erases_it(api, sent):
    finish(api, sent)
    assert api.delete(f"/v1/assessments/{sent}").status_code == 204
    assert api.get(f"/v1/assessments/{sent}").status_code == 404
    assert api.stored() == []
    assert api.delete(f"/v1/assessments/{sent}").status_code == 404


def test_a_result_erased_meanwhile_is_a_missing_assessment(api, sent):
    key = finish(api, sent)
    (api.folder / "objects" / key).unlink()
    assert api.get(f"/v1/assessments/{sent}").status_code == 404


def test_models_in_use_are_listed(api, loaded_model):
    (item,) = api.get("/v1/models").json()["items"]
    assert item.pop("loaded_at")
    assert item == {
        "bundle": "rehearsal",
        "version": "1",
        "digest": loaded_model.digest,
        "demonstration": True,
        "tasks": [{"name": "spectrum", "outcomes": ["none", "mild", "severe"]}],
        "encoders": {"audio": "none"},
    }


def test_without_a_worker_no_model_is_listed(bare_api):
    assert bare_api.get("/v1/models").json() == {"items": []}
