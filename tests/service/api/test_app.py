"""What holds for every route: access, errors, correlation, documentation, health."""

import json
import re
import shutil
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import update
from starlette.testclient import TestClient

from service.api.app import create_app
from service.api.dependencies import Components
from service.settings import Settings
from service.storage.database import now
from service.storage.tables import WorkerRow
from tests.waiting import wait_for

GUARDED = [
    ("POST", "/v1/assessments"),
    ("GET", "/v1/assessments"),
    ("GET", "/v1/assessments/x"),
    ("GET", "/v1/assessments/x/events"),
    ("DELETE", "/v1/assessments/x"),
    ("POST", "/v1/batches"),
    ("GET", "/v1/batches"),
    ("GET", "/v1/batches/x"),
    ("DELETE", "/v1/batches/x"),
    ("GET", "/v1/batches/x/output"),
    ("GET", "/v1/batches/x/errors"),
    ("GET", "/v1/models"),
    ("OPTIONS", "/v1/uploads"),
    ("POST", "/v1/uploads"),
    ("HEAD", "/v1/uploads/x"),
    ("GET", "/v1/uploads/x"),
    ("PATCH", "/v1/uploads/x"),
    ("DELETE", "/v1/uploads/x"),
    ("POST", "/v1/webhooks"),
    ("GET", "/v1/webhooks"),
    ("GET", "/v1/webhooks/x"),
    ("PATCH", "/v1/webhooks/x"),
    ("DELETE", "/v1/webhooks/x"),
    ("POST", "/v1/webhooks/x/rotate-secret"),
    ("POST", "/v1/webhooks/x/test"),
    ("GET", "/v1/webhooks/x/deliveries"),
    ("POST", "/v1/webhooks/x/deliveries/x/replay"),
]
OPEN = ["/livez", "/openapi.json", "/docs"]


def test_the_guarded_routes_are_all_routes_of_v1(api):
    paths = api.client.get("/openapi.json").json()["paths"]
    routes = {
        (method.upper(), re.sub(r"{\w+}", "x", path))
        for path, methods in paths.items()
        for method in methods
        if path.startswith("/v1")
    }
    assert routes == set(GUARDED)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer hil_aaaaaaaa_" + "x" * 43},
        {"Authorization": "Bearer "},
        {"Authorization": "Basic YTpi"},
        {"X-API-Key": "wrong"},
    ],
)
def test_without_a_valid_key_nothing_under_v1_answers(api, headers):
    for method, path in GUARDED:
        response = api.client.request(method, path, headers=headers)
        assert response.status_code == 401, (method, path)
        assert response.headers["www-authenticate"].startswith("Bearer")
        assert response.headers["content-type"] == "application/problem+json"
        assert method == "HEAD" or response.json()["code"] == "unauthenticated"


def test_a_revoked_key_stops_working(api):
    keys = api.client.app.state.components.api_keys
    issued = keys.issue(name="x", tenant="t")
    assert api.get("/v1/models", key=issued.secret).status_code == 200
    keys.revoke(issued.id)
    assert api.get("/v1/models", key=issued.secret).status_code == 401


def test_the_key_may_be_sent_in_its_own_header(api):
    assert api.client.get("/v1/models", headers={"X-API-Key": api.key}).status_code == 200


@pytest.mark.parametrize("path", OPEN)
def test_open_routes_need_no_key(api, path):
    assert api.client.get(path).status_code == 200


def test_an_unknown_path_is_a_problem(api):
    response = api.get("/v1/Ada")
    assert (response.status_code, response.json()["code"]) == (404, "not_found")
    assert "Ada" not in response.text


def test_an_unknown_method_is_a_problem_that_names_the_known_ones(api):
    response = api.client.put("/v1/models", headers=api.headers())
    assert (response.status_code, response.json()["code"]) == (405, "method_not_allowed")
    assert response.headers["allow"] == "GET"


def test_a_harmless_request_id_comes_back(api):
    assert api.client.get("/livez", headers={"X-Request-ID": "abc-1"}).headers["x-request-id"] == "abc-1"


@pytest.mark.parametrize("given", ["x" * 65, "Ada Lovelace", "a\tb"])
def test_any_other_request_id_is_replaced(api, given):
    assert re.fullmatch(
        r"[0-9a-f-]{36}", api.client.get("/livez", headers={"X-Request-ID": given}).headers["x-request-id"]
    )


def test_an_unexpected_error_is_a_problem_without_details(api, monkeypatch, caplog):
    def fail(self, secret):
        raise RuntimeError("Ada Lovelace")

    monkeypatch.setattr("service.auth.keys.ApiKeyRepository.verify", fail)
    response = api.get("/v1/models")
    assert (response.status_code, response.json()["code"]) == (500, "internal_error")
    assert response.json()["request_id"] == response.headers["x-request-id"]
    assert "Ada" not in response.text + caplog.text


def test_a_database_that_does_not_answer_is_a_database_unavailable_problem(api):
    with api.database.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE api_key RENAME TO hidden")
    response = api.get("/v1/models")
    assert (response.status_code, response.json()["code"]) == (503, "database_unavailable")
    assert response.headers["retry-after"] == "5"


def test_healthy_means_a_worker_for_every_queue(api):
    assert api.client.get("/healthz").status_code == 200


def missing(api):
    response = api.client.get("/healthz")
    assert response.status_code == 503
    assert response.json()["code"] == "not_ready"
    return {field["location"] for field in response.json()["errors"]}


def test_without_workers_the_service_is_alive_and_takes_requests_and_is_not_healthy(bare_api):
    assert bare_api.client.get("/livez").status_code == 200
    wait_for(lambda: bare_api.client.get("/readyz").is_success)
    assert missing(bare_api) == {"worker.prepare", "worker.encode", "worker.score"}


def test_the_queue_without_a_worker_is_named(bare_api, join_worker):
    join_worker(bare_api.database, "w1", ("prepare", "score"))
    assert missing(bare_api) == {"worker.encode"}


def test_health_reports_queues_whose_workers_have_different_models(bare_api, join_worker, loaded_model):
    join_worker(bare_api.database, "new", model=replace(loaded_model, digest="new"), queues=("prepare", "score"))
    join_worker(bare_api.database, "old", queues=("encode",))
    assert bare_api.client.get("/healthz").is_success
    with bare_api.database.writing() as session:
        session.execute(update(WorkerRow).values(started_at=now() - timedelta(hours=1)))
    (error,) = bare_api.client.get("/healthz").json()["errors"]
    assert error["location"] == "worker.encode"
    assert "replace the workers of all queues" in error["reason"]


def test_dead_workers_do_not_keep_the_service_ready(api):
    with api.database.writing() as session:
        session.execute(update(WorkerRow).values(beat_at=now() - timedelta(minutes=1)))
    assert "worker.encode" in missing(api)


def test_a_missing_database_is_named(api):
    with api.database.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE worker RENAME TO hidden")
    assert missing(api) == {"database"}


def test_an_unreachable_queue_is_named(tmp_path, migrated_file, closed_port, join_worker):
    shutil.copy(migrated_file, tmp_path / "hilbert.sqlite")
    settings = Settings(data_dir=tmp_path, broker_url=f"redis://127.0.0.1:{closed_port}/0")
    app = create_app(settings)
    with TestClient(app) as client:
        join_worker(app.state.components.database)
        response = client.get("/healthz")
    assert {field["location"] for field in response.json()["errors"]} == {"queue"}


def test_parts_are_there_only_while_the_application_runs(settings):
    app = create_app(settings)
    assert not hasattr(app.state, "components")
    with TestClient(app):
        assert isinstance(app.state.components, Components)


def test_every_reference_of_the_documentation_leads_somewhere(api):
    document = api.client.get("/openapi.json").text
    schemas = json.loads(document)["components"]["schemas"]
    assert set(re.findall(r"#/components/schemas/(\w+)", document)) - set(schemas) == set()


def test_every_answer_is_documented_with_an_example(api):
    paths = api.client.get("/openapi.json").json()["paths"]
    for path, methods in paths.items():
        for method, operation in methods.items():
            for status, response in operation["responses"].items():
                contents = response.get("content", {})
                bare = [kind for kind, media in contents.items() if not {"example", "examples"} & set(media)]
                assert not bare or path in ("/livez", "/readyz", "/healthz"), (method, path, status)


def test_every_refusal_is_documented_as_a_problem(api):
    paths = api.client.get("/openapi.json").json()["paths"]
    for methods in paths.values():
        for operation in methods.values():
            for status, response in operation["responses"].items():
                if int(status) >= 400:
                    assert list(response["content"]) == ["application/problem+json"]


def test_every_post_takes_an_idempotency_key(api):
    paths = api.client.get("/openapi.json").json()["paths"]
    posts = {path: methods["post"] for path, methods in paths.items() if "post" in methods}
    keyed = {path for path, post in posts.items() if "idempotency-key" in {one["name"] for one in post["parameters"]}}
    assert keyed == set(posts)
