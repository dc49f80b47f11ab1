"""Requests are counted by route, and submissions by what became of them."""

import httpx
import pytest

from tests.waiting import wait_for

DURATION = "http_server_request_duration_seconds_count"
WAV = b"RIFF\x00\x00\x00\x00WAVE"


def requests(counted, method, route, status):
    labels = {"http_request_method": method, "http_route": route, "http_response_status_code": str(status)}
    return counted(DURATION, **labels)


@pytest.mark.parametrize(
    ("method", "path", "route", "status"),
    [
        ("GET", "/v1/assessments/Ada?name=Lovelace", "/v1/assessments/{assessment_id}", 404),
        ("GET", "/v1/assessments", "/v1/assessments", 200),
        ("PUT", "/v1/models", "/v1/models", 405),
        ("GET", "/Ada/Lovelace", "unknown", 404),
        ("GET", "/v1/", "unknown", 404),
    ],
)
def test_a_request_is_counted_by_the_template_of_its_route(api, counted, method, path, route, status):
    assert api.client.request(method, path, headers=api.headers()).status_code == status
    assert requests(counted, method, route, status) == 1


def test_a_method_that_does_not_exist_is_one_word(api, counted):
    api.client.request("LOVELACE", "/v1/models")
    assert requests(counted, "_OTHER", "/v1/models", 405) == 1


def test_probes_are_not_counted(api, counted):
    api.client.get("/livez")
    assert requests(counted, "GET", "/livez", 200) == 0


def test_a_stream_is_measured_to_its_end(settings, listen, join_worker, counted, submit):
    with listen(settings) as (url, parts):
        join_worker(parts.database)
        submit(parts.database)
        headers = {"Authorization": f"Bearer {parts.api_keys.issue(name='a', tenant='ward-a').secret}"}
        labels = ("GET", "/v1/assessments/{assessment_id}/events", 200)
        with (
            httpx.Client(base_url=url, headers=headers, trust_env=False) as client,
            client.stream("GET", "/v1/assessments/a1/events") as response,
        ):
            lines = response.iter_lines()
            next(lines)
            assert counted("http_server_active_requests", http_request_method="GET") == 1
            assert requests(counted, *labels) == 0
            client.delete("/v1/assessments/a1")
            assert list(lines)
        wait_for(lambda: requests(counted, *labels) == 1)  # counted a moment after the last byte was sent
        assert counted("http_server_active_requests", http_request_method="GET") == 0


def test_submissions_are_counted_by_what_became_of_them(api, counted):
    assert api.post(audio=WAV + b"x" * 40).status_code == 202
    assert api.post(audio=WAV + b"x" * 40, metadata={"priority": "batch"}).status_code == 202
    assert api.post(audio=b"no sound").status_code == 415
    for priority, outcome, number in (("routine", "accepted", 1), ("batch", "accepted", 1), ("routine", "refused", 1)):
        assert counted("hilbert_submissions_total", priority=priority, outcome=outcome) == number


@pytest.mark.parametrize("settings", [{"max_queue_depth": 1}], indirect=True)
def test_who_is_sent_away_is_counted_with_the_reason(api, counted):
    api.post(audio=WAV + b"x" * 40)
    assert api.post(audio=WAV + b"x" * 40).status_code == 503
    assert counted("hilbert_admission_refused_total", reason="queue_long") == 1
    assert counted("hilbert_submissions_total", priority="routine", outcome="refused") == 1
