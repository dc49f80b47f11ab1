import json
import socket
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from http.client import HTTPResponse
from threading import Barrier
from urllib.parse import urlsplit

import httpx
import pytest
from sqlalchemy import select, update

from service.api.idempotency import parse_key
from service.api.intake.body import json_digest
from service.errors.request import IdempotencyKeyInvalid
from service.settings import Settings
from service.storage.database import now
from service.storage.tables import AssessmentRow, IdempotencyRow
from tests.waiting import wait_for

WAV = b"RIFF\x00\x00\x00\x00WAVE" + b"x" * 500
AT_ONCE = 100


def post(api, key="k1", *, by=None, boundary="b", **changed):
    parts = {"audio": WAV, "transcript": b"hello there", "metadata": b'{"reference": "r"}'} | changed
    files = {name: ("patient-name", content) for name, content in parts.items()}
    content_type = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
    headers = api.headers(by) | content_type | {"Idempotency-Key": key}
    return api.client.post("/v1/assessments", files=files, headers=headers)


def code(response):
    return response.status_code, response.json()["code"]


def assessments(database):
    with database.reading() as session:
        return len(session.scalars(select(AssessmentRow)).all())


@pytest.mark.parametrize(
    ("header", "key"),
    [
        ("8e03978e-40d5-43dd-bc93-6894a57f9324", "8e03978e-40d5-43dd-bc93-6894a57f9324"),
        ('"8e03978e"', "8e03978e"),
        (r'"a \"b\" \\c"', 'a "b" \\c'),
        ("a b", "a b"),
        ("x" * 255, "x" * 255),
    ],
)
def test_a_key_may_be_quoted_or_bare(header, key):
    assert parse_key(header) == key


@pytest.mark.parametrize(
    "header", ["", '""', '"', '"a', '"a"b', r'"a\b"', "x" * 256, "Zoë", "a\tb", '"a"; x=1', '"a\\"']
)
def test_anything_else_is_no_key(header):
    with pytest.raises(IdempotencyKeyInvalid):
        parse_key(header)


def test_the_header_is_checked_before_anything_else(api):
    assert code(post(api, "")) == (400, "idempotency_key_invalid")
    assert api.stored() == []


def test_json_means_the_same_however_it_is_written():
    assert json_digest(b'{"a": 1, "b": [2]}') == json_digest(b'{"b":[2],\n"a":1}')
    assert json_digest(b'{"a": 1}') != json_digest(b'{"a": 2}')
    assert json_digest(b"[" * 100_000) != json_digest(b"{")


def test_the_same_request_gets_the_same_answer_and_has_no_effect(api):
    first, second = post(api), post(api, '"k1"', boundary="another")
    assert (first.status_code, second.status_code) == (202, 202)
    assert second.content == first.content
    assert second.headers["location"] == first.headers["location"]
    assert second.headers["content-type"] == first.headers["content-type"]
    assert second.headers["cache-control"] == "no-store"
    assert (first.headers.get("idempotency-replayed"), second.headers["idempotency-replayed"]) == (None, "true")
    assert assessments(api.database) == 1
    assert len(api.stored()) == 2


def test_the_answer_outlives_the_assessment(api):
    first = post(api)
    for _ in ("cancel", "erase"):
        assert api.delete(first.headers["location"]).status_code == 204
    assert api.get(first.headers["location"]).status_code == 404
    assert post(api).content == first.content
    assert (assessments(api.database), api.stored()) == (0, [])


def test_another_request_with_the_key_is_refused(api):
    post(api)
    for changed in ({"audio": WAV + b"y"}, {"transcript": b"hello"}, {"metadata": b"{}"}):
        assert code(post(api, **changed)) == (422, "idempotency_key_reused")
    assert (assessments(api.database), len(api.stored())) == (1, 2)


def test_another_route_with_the_key_is_refused(api):
    post(api)
    headers = api.headers() | {"Idempotency-Key": "k1", "Tus-Resumable": "1.0.0", "Upload-Length": "3"}
    assert code(api.client.post("/v1/uploads", headers=headers)) == (422, "idempotency_key_reused")


def test_keys_of_tenants_do_not_meet(api):
    assert post(api).json()["id"] != post(api, by=api.foreign_key).json()["id"]


def test_a_refused_request_leaves_its_key_free(api):
    assert code(post(api, audio=b"no audio at all")) == (415, "audio_unsupported")
    assert post(api).status_code == 202


def test_without_a_key_nothing_is_repeated(api):
    assert api.post(audio=WAV).json()["id"] != api.post(audio=WAV).json()["id"]


def test_a_request_whose_key_was_taken_over_changes_nothing(api):
    """Its process was held up past the lease: by now another request has the key."""

    def body():
        yield b'--b\r\nContent-Disposition: form-data; name="audio"\r\n\r\n' + WAV
        with api.database.writing() as session:
            session.execute(update(IdempotencyRow).values(owner="another", lease_until=now() + timedelta(minutes=1)))
        yield b"\r\n--b--\r\n"

    headers = api.headers() | {"Content-Type": "multipart/form-data; boundary=b", "Idempotency-Key": "k1"}
    response = api.client.post("/v1/assessments", content=body(), headers=headers)
    assert code(response) == (409, "idempotency_in_flight")
    assert (assessments(api.database), api.stored()) == (0, [])
    with api.database.reading() as session:
        assert session.scalars(select(IdempotencyRow)).one().owner == "another"


def send(client):
    return client.post("/v1/assessments", files={"audio": WAV}, headers={"Idempotency-Key": "k1"})


def client_of(url, parts):
    headers = {"Authorization": f"Bearer {parts.api_keys.issue(name='a', tenant='t').secret}"}
    limits = httpx.Limits(max_connections=AT_ONCE)
    return httpx.Client(base_url=url, headers=headers, limits=limits, trust_env=False, timeout=60)


def test_a_hundred_at_once_with_one_key_are_one_assessment(database_url, tmp_path, listen, join_worker):
    settings = Settings(data_dir=tmp_path, database_url=database_url, sweep_interval=timedelta(minutes=1))
    start = Barrier(AT_ONCE)
    with listen(settings) as (url, parts), client_of(url, parts) as client, ThreadPoolExecutor(AT_ONCE) as threads:
        join_worker(parts.database)

        def one_of_many(_):
            start.wait()
            return send(client)

        responses = list(threads.map(one_of_many, range(AT_ONCE)))
        assert {response.status_code for response in responses} <= {202, 409}
        accepted = [response for response in responses if response.status_code == 202]
        assert len({response.content for response in accepted}) == 1
        assert all(response.headers["retry-after"] for response in responses if response.status_code == 409)
        assert assessments(parts.database) == 1
        assert len(parts.objects.list("assessments")) == 1
        assert send(client).content == accepted[0].content


def begin_form(url, client):
    """A connection on which the beginning of a form with the key was sent, and its end never comes."""
    form = {"Content-Type": "multipart/form-data; boundary=b", "Idempotency-Key": "k1", "Content-Length": "2000"}
    headers = {"Host": "x", "Authorization": client.headers["authorization"]} | form
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    head = b'--b\r\nContent-Disposition: form-data; name="audio"\r\n\r\n' + WAV
    connection = socket.create_connection(("127.0.0.1", urlsplit(url).port), timeout=60)
    connection.sendall(f"POST /v1/assessments HTTP/1.1\r\n{lines}\r\n".encode() + head)
    return connection


def lease_until(database):
    with database.reading() as session:
        return session.scalars(select(IdempotencyRow.lease_until)).one_or_none()


def test_a_slow_request_keeps_its_key(settings, listen, join_worker):
    patient = settings.model_copy(update={"request_lease": timedelta(seconds=6)})
    with listen(patient) as (url, parts), client_of(url, parts) as client:
        join_worker(parts.database)
        with begin_form(url, client) as slow:
            first = wait_for(lambda: lease_until(parts.database))

            def renewed():
                slow.sendall(b"y")
                return lease_until(parts.database) > first

            wait_for(renewed, every=0.1)
            assert code(send(client)) == (409, "idempotency_in_flight")


def test_a_silent_request_loses_its_key(settings, listen, join_worker):
    impatient = settings.model_copy(update={"request_lease": timedelta(seconds=2)})
    with listen(impatient) as (url, parts), client_of(url, parts) as client:
        join_worker(parts.database)
        with begin_form(url, client) as silent:
            answer = HTTPResponse(silent)
            answer.begin()
            assert (answer.status, json.loads(answer.read())["code"]) == (408, "body_stalled")
        assert send(client).status_code == 202
        assert assessments(parts.database) == 1
