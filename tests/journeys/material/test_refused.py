import socket
from urllib.parse import urlsplit

import pytest

TEXT = b"I slept badly this week and could not think clearly about anything at all."


@pytest.fixture(autouse=True)
def a_refusal_leaves_nothing_in_the_object_store(embedded):
    before = embedded.stored()
    yield
    assert embedded.stored() == before


def problem(response, status, code):
    """The problem in a refusal, checked for what every problem must hold."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"].startswith("application/problem+json")
    body = response.json()
    assert body["status"] == status
    assert body["code"] == code
    assert body["advice"]
    assert body["request_id"]
    assert body["retryable"] is False
    return body


@pytest.mark.parametrize("content", [b"%PDF-1.7 not a recording", b"\x00" * 4096, b"<html></html>", b"x"])
def test_what_is_not_audio_is_refused_by_its_content(client, content):
    problem(client.post(audio=content, audio_name="interview.wav"), 415, "audio_unsupported")


def test_an_empty_audio_file_is_refused(client):
    problem(client.post(audio=b""), 422, "audio_empty")


@pytest.mark.parametrize("content", [b"", b" \n\t\n"])
def test_an_empty_transcript_is_refused(client, content):
    problem(client.post(transcript=content), 422, "transcript_empty")


@pytest.mark.parametrize(
    "content", ["Grüße und viele Wörter".encode("latin-1"), b"\xff\xfe\x00w\x00o\x00", b"\xc3\x28" * 9]
)
def test_a_transcript_that_is_not_utf8_is_refused(client, content):
    problem(client.post(transcript=content), 422, "transcript_not_utf8")


def test_good_audio_is_not_kept_when_its_transcript_is_refused(client, clip):
    problem(client.post(audio=clip.encoded("flac"), transcript=b"\xff\xff"), 422, "transcript_not_utf8")


def test_an_unknown_task_is_refused_after_the_upload_and_nothing_is_kept(client, clip):
    response = client.post(audio=clip.encoded("flac"), transcript=TEXT, metadata={"task": "weather"})
    body = problem(response, 422, "unknown_task")
    assert "weather" not in body["detail"]


def test_a_request_without_material_is_refused(client):
    problem(client.post(metadata={"task": "spectrum"}), 422, "material_missing")


@pytest.mark.parametrize("metadata", ["{", "[]", '{"task": 7}', '{"tusk": "spectrum"}', "NaN"])
def test_malformed_metadata_is_refused(client, metadata):
    response = client.http.post("/v1/assessments", files={"transcript": TEXT}, data={"metadata": metadata})
    problem(response, 422, "invalid_request")


def test_ten_gigabytes_are_refused_by_content_length(client, embedded):
    head = (
        "POST /v1/assessments HTTP/1.1",
        f"Host: {urlsplit(embedded.url).netloc}",
        f"Authorization: {client.http.headers['authorization']}",
        "Content-Type: multipart/form-data; boundary=b",
        f"Content-Length: {10 * 1000**3}",
    )
    with socket.create_connection(("127.0.0.1", urlsplit(embedded.url).port), timeout=5) as connection:
        connection.sendall("\r\n".join((*head, "", "")).encode())
        answer = connection.recv(65536).decode()
    assert answer.startswith("HTTP/1.1 413 ")
    assert '"code":"too_large"' in answer.replace(" ", "") or "problem+json" in answer


@pytest.mark.parametrize("key", [None, "nonsense", "hil_aaaaaaaa_" + "A" * 43])
def test_without_a_valid_key_nothing_is_read_or_kept(embedded, key):
    response = embedded.client(key).post(transcript=TEXT)
    problem(response, 401, "unauthenticated")
