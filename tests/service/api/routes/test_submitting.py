import json
import uuid

import pytest
from sqlalchemy import select

from service.storage.tables import AssessmentRow, StageRow
from tests.waiting import wait_for

WAV = b"RIFF\x00\x00\x00\x00WAVE" + b"x" * 500


def problem(response, status, code):
    """Assert that this is a problem in every respect; returns it."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    body = response.json()
    assert body["code"] == code
    assert body["status"] == status
    assert body["request_id"] == response.headers["x-request-id"]
    assert body["advice"]
    return body


def refused(api, response, status, code):
    """A refused request leaves neither a row nor an object."""
    body = problem(response, status, code)
    assert api.stored() == []
    with api.database.reading() as session:
        assert session.scalars(select(AssessmentRow)).all() == []
    return body


def test_a_recording_is_taken(api):
    response = api.post(audio=WAV, transcript=b"hello there", metadata={"reference": "visit-1"})
    assert response.status_code == 202
    body = response.json()
    assert response.headers["location"] == f"/v1/assessments/{body['id']}"
    assert response.headers["retry-after"] == "2"
    assert response.headers["cache-control"] == "no-store"
    assert (body["state"], body["task"], body["reference"], body["bundle"]) == (
        "queued",
        "spectrum",
        "visit-1",
        "rehearsal",
    )
    progress = {"stage": "queued", "segments_done": 0, "segments_total": None, "position": 0, "eta_seconds": None}
    assert body["progress"] == progress
    assert (body["result"], body["error"], body["finished_at"]) == (None, None, None)
    assert body["links"] == {"self": f"/v1/assessments/{body['id']}"}


RECORDING = {"participant": ["SPEAKER_01"], "interviewer": ["A"], "audio_track": 2, "participant_channel": 1}


@pytest.mark.parametrize("as_json", [True, False])
def test_what_is_said_about_the_recording_is_kept_for_the_worker(api, as_json):
    said = RECORDING | {"participant": "SPEAKER_01"}
    if as_json:
        body = {"transcript": {"text": "hello there"}, **said}
        response = api.client.post("/v1/assessments", json=body, headers=api.headers())
    else:
        response = api.post(transcript=b"hello there", metadata=said)
    assert response.status_code == 202, response.text
    with api.database.reading() as session:
        assert session.scalars(select(AssessmentRow)).one().recording == RECORDING


def test_what_is_stored_is_what_was_sent(api):
    api.post(audio=WAV, transcript=b"hello there")
    contents = sorted(path.read_bytes() for path in api.stored())
    assert contents == sorted([WAV, b"hello there"])


def test_the_name_of_the_clients_file_is_nowhere(api):
    api.post(audio=WAV, transcript=b"hello there")
    everything = b"".join(path.read_bytes() for path in api.folder.rglob("*") if path.is_file())
    names = [str(path) for path in api.folder.rglob("*")]
    assert b"patient-name" not in everything
    assert not any("patient-name" in name for name in names)


def test_the_stage_is_published(api):
    api.post(audio=WAV)
    wait_for(lambda: list((api.folder / "queue").glob("*.prepare.msg")))
    with api.database.reading() as session:
        assert session.scalars(select(StageRow)).one().enqueued_at is not None


def test_a_transcript_alone_is_taken(api):
    assert api.post(transcript=b"hello there").status_code == 202


def test_a_transcript_may_be_a_plain_field(api):
    response = api.client.post(
        "/v1/assessments",
        files={"audio": ("x", WAV)},
        data={"transcript": "hello there"},
        headers=api.headers(),
    )
    assert response.status_code == 202
    assert b"hello there" in [path.read_bytes() for path in api.stored()]


@pytest.mark.parametrize(
    "head",
    [
        b"RIFF\x00\x00\x00\x00WAVE",
        b"RF64\xff\xff\xff\xffWAVE",
        b"fLaC\x00\x00\x00\x22",
        b"ID3\x04\x00\x00",
        b"\xff\xfb\x90\x64",
        b"\xff\xf3\x84\xc4",
        b"\xff\xf1\x50\x80",
        b"OggS\x00\x02",
        b"\x00\x00\x00\x20ftypM4A ",
        b"\x1a\x45\xdf\xa3\x9f\x42",
    ],
)
def test_audio_is_known_by_its_content(api, head):
    assert api.post(audio=head + b"\x00" * 20).status_code == 202


@pytest.mark.parametrize(
    "content",
    [b"%PDF-1.7 not audio at all", b"\xff\xfeh\x00e\x00l\x00l\x00o\x00 \x00", b"RIFF\x00\x00\x00\x00AVI ", b"x", b"ID"],
)
def test_what_is_not_audio_is_refused(api, content):
    refused(api, api.post(audio=content, transcript=b"hello"), 415, "audio_unsupported")


def test_empty_audio_is_refused(api):
    refused(api, api.post(audio=b"", transcript=b"hello there"), 422, "audio_empty")


@pytest.mark.parametrize("content", [b"", b" \n\t ", b"\xef\xbb\xbf"])
def test_an_empty_transcript_is_refused(api, content):
    refused(api, api.post(audio=WAV, transcript=content), 422, "transcript_empty")


def test_a_transcript_that_is_not_utf8_is_refused_without_quoting_it(api):
    body = refused(api, api.post(audio=WAV, transcript=b"Ada \xff\xfe"), 422, "transcript_not_utf8")
    assert "Ada" not in json.dumps(body)


def test_a_transcript_beyond_the_limit_is_refused(api):
    refused(api, api.post(audio=WAV, transcript=b"a" * 1_001), 413, "too_large")


def test_nothing_to_assess_is_refused(api):
    response = api.post(files={"metadata": (None, '{"task": "spectrum"}')})
    refused(api, response, 422, "material_missing")
    refused(api, api.post(metadata={"task": "spectrum"}), 422, "material_missing")
    refused(api, api.client.post("/v1/assessments", headers=api.headers()), 422, "material_missing")


def urlencoded(api, content):
    headers = api.headers() | {"Content-Type": "application/x-www-form-urlencoded"}
    return api.client.post("/v1/assessments", content=content, headers=headers)


def test_a_form_without_files_is_taken(api):
    response = urlencoded(api, b"transcript=hello+there%2C+you&metadata=%7B%22reference%22%3A%22r1%22%7D")
    assert (response.status_code, response.json()["reference"]) == (202, "r1")
    assert [path.read_bytes() for path in api.stored()] == [b"hello there, you"]


def test_a_form_without_files_meets_the_same_checks(api):
    refused(api, urlencoded(api, b"transcript=Ada+%FF"), 422, "transcript_not_utf8")
    refused(api, urlencoded(api, b"transcript="), 422, "transcript_empty")
    refused(api, urlencoded(api, b"transcript=" + b"x" * 60_000), 413, "too_large")
    refused(api, urlencoded(api, b"a=1&" * 11), 400, "malformed_upload")


def test_ten_gigabytes_are_refused_before_they_are_read(api):
    def body():
        raise AssertionError("the body was read")
        yield b""

    headers = api.headers() | {
        "Content-Length": "10000000000",
        "Content-Type": "multipart/form-data; boundary=x",
    }
    response = api.client.post("/v1/assessments", content=body(), headers=headers)
    refused(api, response, 413, "too_large")


def test_a_body_without_content_length_is_refused_at_the_limit(api):
    sent = []

    def body():
        yield b'--x\r\nContent-Disposition: form-data; name="audio"\r\n\r\n' + WAV
        for _ in range(1_000):
            sent.append(1)
            yield b"x" * 10_000

    headers = api.headers() | {"Content-Type": "multipart/form-data; boundary=x"}
    response = api.client.post("/v1/assessments", content=body(), headers=headers)
    refused(api, response, 413, "too_large")


def test_an_unknown_task_is_refused_with_the_known_ones(api):
    body = refused(api, api.post(audio=WAV, metadata={"task": "mood"}), 422, "unknown_task")
    assert "spectrum" in body["detail"]
    assert "mood" not in json.dumps(body)


@pytest.mark.parametrize(
    "metadata",
    [
        {"name": "Ada Lovelace"},
        {"Ada Lovelace": 1},
        {"reference": "Ada " * 20},
        {"reference": "Ada\x00"},
        {"reference": ""},
        {"priority": "Ada"},
        {"task": 7},
        {"participant": ["Ada", "everyone"]},
        {"participant": "Ada", "interviewer": "Ada"},
        {"participant": "Ada\x00"},
        "Ada",
        "[]",
        "\x00Ada",
    ],
)
def test_wrong_metadata_is_refused_without_quoting_it(api, metadata):
    body = refused(api, api.post(audio=WAV, metadata=metadata), 422, "invalid_request")
    assert all(field["location"].startswith("metadata") for field in body["errors"])
    assert "Ada" not in json.dumps(body)


def test_metadata_beyond_its_limit_is_refused(api):
    refused(api, api.post(audio=WAV, metadata="x" * 20_000), 413, "too_large")


def test_unknown_parts_are_refused(api):
    refused(api, api.post(audio=WAV, files={"Ada": ("x", b"1")}), 422, "invalid_request")


def test_a_part_sent_twice_is_refused(api):
    files = [("audio", ("a", WAV)), ("audio", ("b", WAV))]
    response = api.client.post("/v1/assessments", files=files, headers=api.headers())
    refused(api, response, 422, "invalid_request")


@pytest.mark.parametrize(
    ("content_type", "content"),
    [
        ("application/xml", b"<a/>"),
        ("multipart/form-data", b"--x"),
        ("multipart/form-data; boundary=x", b"no boundary here"),
        ("multipart/form-data; boundary=x", b""),
        (
            "multipart/form-data; boundary=x",
            b'--x\r\nContent-Disposition: form-data; name="audio"\r\n\r\n' + WAV,
        ),
        ("multipart/form-data; boundary=x", b'--x\r\nContent-Disposition: form-data; name="tran'),
    ],
)
def test_a_broken_form_is_refused(api, content_type, content):
    headers = api.headers() | {"Content-Type": content_type}
    response = api.client.post("/v1/assessments", content=content, headers=headers)
    refused(api, response, 400, "malformed_upload")


def test_a_part_without_a_name_is_refused(api):
    content = b"--x\r\nContent-Type: text/plain\r\n\r\nhello\r\n--x--\r\n"
    headers = api.headers() | {"Content-Type": "multipart/form-data; boundary=x"}
    response = api.client.post("/v1/assessments", content=content, headers=headers)
    refused(api, response, 422, "invalid_request")


def test_submissions_are_refused_with_retry_after_until_a_model_is_loaded(bare_api):
    response = bare_api.post(audio=WAV)
    body = refused(bare_api, response, 503, "model_not_ready")
    assert response.headers["retry-after"] == "5"
    assert body["retryable"] is True


def test_every_assessment_has_an_id_of_its_own(api):
    ids = {api.post(audio=WAV).json()["id"] for _ in range(3)}
    assert len(ids) == 3
    assert all(uuid.UUID(assessment_id).version == 4 for assessment_id in ids)
