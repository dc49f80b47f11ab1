"""A span for each request, and what follows from it in the database."""

from sqlalchemy import select

from service.storage.tables import StageRow

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
WAV = b"RIFF\x00\x00\x00\x00WAVE"


def test_a_request_has_a_span_of_its_method_route_and_status(api, traced):
    api.get("/v1/assessments/Ada?name=Lovelace")
    (got,) = traced("GET /v1/assessments/{assessment_id}")
    assert dict(got.attributes) == {
        "http.request.method": "GET",
        "http.route": "/v1/assessments/{assessment_id}",
        "http.response.status_code": 404,
        "url.scheme": "http",
    }
    assert got.status.is_unset


def test_the_trace_of_a_client_continues_in_the_stage(api, traced):
    headers = {**api.headers(), "traceparent": f"00-{TRACE}-{PARENT}-01", "tracestate": "ada=lovelace"}
    api.client.post("/v1/assessments", files={"audio": ("x", WAV + b"x" * 40)}, headers=headers)
    (got,) = traced("POST /v1/assessments")
    assert (f"{got.context.trace_id:032x}", f"{got.parent.span_id:016x}") == (TRACE, PARENT)
    with api.database.reading() as session:
        kept = session.scalars(select(StageRow.traceparent)).one()
    assert kept == f"00-{TRACE}-{got.context.span_id:016x}-01"


def test_a_fault_of_the_service_is_an_error_without_its_words(api, traced, monkeypatch):
    def broken(*_):
        raise RuntimeError("Ada Lovelace")

    monkeypatch.setattr("service.api.routes.models.registered_models", broken)
    assert api.get("/v1/models").status_code == 500
    (got,) = traced("GET /v1/models")
    assert got.attributes["error.type"] == "500"
    assert "Ada" not in got.to_json()


def test_probes_and_untraced_processes_leave_nothing(api, traced):
    api.client.get("/livez")
    assert traced("GET /livez") == []


def test_without_tracing_a_stage_keeps_nothing_of_a_client_s_trace(api):
    headers = {**api.headers(), "traceparent": f"00-{TRACE}-{PARENT}-01"}
    api.client.post("/v1/assessments", files={"audio": ("x", WAV + b"x" * 40)}, headers=headers)
    with api.database.reading() as session:
        assert session.scalars(select(StageRow.traceparent)).all() == [None]
