import uuid

import pytest

from service.assessments.result import Result
from tests.waiting import wait_for


@pytest.fixture(scope="module")
def answers():
    """The interview's result on each service, once it is there."""
    return {}


def test_an_interview_is_scored_end_to_end(request, service, interview, answers):
    client = service.client(service.key("clinic"))
    response = client.post(**interview, metadata={"task": "spectrum", "reference": "visit-7"})
    assert response.status_code == 202
    assert int(response.headers["retry-after"]) > 0
    location = response.headers["location"]
    assert location.endswith(response.json()["id"])
    assert response.json()["state"] == "queued"

    assessment = client.finish(location)
    assert assessment["state"] == "succeeded", assessment["error"]
    assert assessment["task"] == "spectrum"
    assert assessment["reference"] == "visit-7"
    assert assessment["finished_at"] >= assessment["created_at"]
    assert assessment["progress"]["segments_done"] == assessment["progress"]["segments_total"] > 0
    answers[request.node.callspec.params["service"]] = Result.model_validate(assessment["result"])


def test_the_answer_explains_itself(service, answers, request):
    result = answers[request.node.callspec.params["service"]]
    assert sum(outcome.probability for outcome in result.probabilities) == pytest.approx(1, abs=1e-6)
    assert result.outcome == max(result.probabilities, key=lambda outcome: outcome.probability).outcome
    shares = result.contributions
    assert shares.audio + shares.text == pytest.approx(shares.total - shares.baseline, abs=1e-6)
    assert result.segments
    assert all(0 <= segment.start < segment.end for segment in result.segments)
    assert any(segment.text for segment in result.segments)
    assert result.quality.segments > 0
    assert result.model.demonstration
    assert result.model.digest
    assert "not a diagnosis" in result.notice


def test_both_services_give_the_same_answer(embedded, production, answers):
    ours, theirs = answers["embedded"], answers["production"]
    assert theirs.outcome == ours.outcome
    for here, there in zip(ours.probabilities, theirs.probabilities, strict=True):
        assert there.outcome == here.outcome
        assert there.probability == pytest.approx(here.probability, abs=1e-6)
    assert theirs.contributions.audio == pytest.approx(ours.contributions.audio, abs=1e-5)
    assert theirs.model.digest == ours.model.digest


def test_the_material_is_gone_once_the_answer_is_there(service, interview):
    assert not {interview["audio"], interview["transcript"]} & set(service.stored().values())


def test_another_tenant_s_assessment_is_not_found(service):
    owner, stranger = service.client(service.key("owner")), service.client(service.key("stranger"))
    location = owner.submit(transcript=b"I went for a walk and met my sister by the river.")
    for method in ("GET", "DELETE"):
        answer = stranger.http.request(method, location)
        unknown = stranger.http.request(method, f"/v1/assessments/{uuid.uuid4()}")
        assert answer.status_code == unknown.status_code == 404
        assert answer.json()["code"] == unknown.json()["code"] == "assessment_not_found"
        assert answer.json()["detail"] == unknown.json()["detail"]
    assert location not in stranger.http.get("/v1/assessments").text
    assert owner.finish(location)["state"] in {"succeeded", "abstained"}


def test_a_deleted_assessment_is_gone_with_all_it_held(service):
    client = service.client(service.key("eraser"))
    before = service.stored()
    location = client.submit(transcript=b"We moved house in spring and I have been tired since.")
    client.finish(location)
    assert client.http.delete(location).status_code == 204
    assert client.http.get(location).status_code == 404
    assert client.http.delete(location).status_code == 404
    assert service.stored() == before


def test_a_running_assessment_is_cancelled_and_then_erased(service, interview):
    client = service.client(service.key("hasty"))
    before = service.stored()
    location = client.submit(**interview)
    assert client.http.delete(location).status_code == 204
    assert client.finish(location)["state"] == "cancelled"
    assert client.http.delete(location).status_code == 204
    assert client.http.get(location).status_code == 404
    wait_for(lambda: service.stored() == before, every=0.2)


def test_a_revoked_key_opens_nothing(service):
    key = service.key("leaver")
    client = service.client(key)
    assert client.http.get("/v1/models").status_code == 200
    service.hilbert("keys", "revoke", key.split("_")[1])
    answer = client.http.get("/v1/models")
    assert answer.status_code == 401
    assert answer.json()["code"] == "unauthenticated"


def test_assessments_are_listed_in_pages_that_a_cursor_joins(service):
    client = service.client(service.key("lister"))
    made = [client.submit(transcript=f"This is statement number {n} of the day.".encode()) for n in range(3)]
    for location in made:
        client.finish(location)
    first = client.http.get("/v1/assessments", params={"limit": 2}).json()
    rest = client.http.get("/v1/assessments", params={"limit": 2, "cursor": first["next_cursor"]}).json()
    listed = [item["id"] for page in (first, rest) for item in page["items"]]
    assert sorted(listed) == sorted(location.rsplit("/", 1)[1] for location in made)
    assert rest["next_cursor"] is None


def test_the_models_name_their_tasks_and_digests(service):
    models = service.client(service.key("reader")).http.get("/v1/models").json()
    assert any("spectrum" in str(model) and "digest" in model for model in models["items"])


def test_results_are_never_cached(service):
    client = service.client(service.key("cautious"))
    location = client.submit(transcript=b"I have had a quiet week with little to tell.")
    client.finish(location)
    assert "no-store" in client.http.get(location).headers["cache-control"]


def test_health_needs_no_key_and_everything_else_does(service):
    stranger = service.client(None)
    assert stranger.http.get("/livez").status_code == 200
    assert stranger.http.get("/readyz").status_code == 200
    assert stranger.http.get("/healthz").status_code == 200
    for path in ("/v1/assessments", "/v1/models", "/v1/assessments/x"):
        assert stranger.http.get(path).status_code == 401


def test_the_openapi_document_has_an_example_of_each_request_and_answer(service):
    document = service.client(None).http.get("/openapi.json").json()
    post = document["paths"]["/v1/assessments"]["post"]
    assert "multipart/form-data" in post["requestBody"]["content"]
    assert "example" in str(post)
    assert {"202", "401", "413", "415", "422"} <= post["responses"].keys()
    assert {"get", "delete"} <= document["paths"]["/v1/assessments/{assessment_id}"].keys()


def test_the_logs_hold_no_key_but_the_first_and_no_words(service, interview):
    log = "\n".join(path.read_text() for path in service.logs())
    words = [line for line in interview["transcript"].decode().splitlines() if len(line) > 40]
    assert words
    assert not any(line in log for line in words)
    assert "visit-7" not in log
