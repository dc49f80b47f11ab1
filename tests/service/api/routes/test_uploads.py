import base64
import hashlib
from email.utils import parsedate_to_datetime

import pytest
from sqlalchemy import select, update

from service.maintenance.upload_expiry import expire_uploads
from service.storage.database import now
from service.storage.tables import AssessmentRow, UploadRow

WAV = b"RIFF\x00\x00\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00\x80\x3e\x00\x00\x00\x7d\x00\x00\x02\x00\x10\x00"
WAV += b"data\x00\x7d\x00\x00" + b"\x00" * 32_000
BODY = "application/offset+octet-stream"


WRONG = [
    ({}, (422, "material_missing")),
    ({"transcript": {"text": " "}}, (422, "transcript_empty")),
    ({"transcript": {"text": "x" * 1_001}}, (413, "too_large")),
    ({"transcript": {"text": "x" * 30_000}}, (413, "too_large")),
    ({"transcript": {"text": "Ada", "upload": "Ada"}}, (422, "invalid_request")),
    ({"transcript": {}}, (422, "invalid_request")),
    ({"audio": "Ada"}, (422, "invalid_request")),
    ({"Ada": 1}, (422, "invalid_request")),
    ({"transcript": {"text": "Ada"}, "task": "Ada"}, (422, "unknown_task")),
    ("Ada", (422, "invalid_request")),
]
"""Submissions by reference that are refused, and how."""


class Tus:
    """Speaks tus 1.0 by hand."""

    def __init__(self, api, key=None):
        self.api = api
        self.headers = api.headers(key) | {"Tus-Resumable": "1.0.0"}

    def ask(self, method, path="/v1/uploads", content=None, **headers):
        headers = {name.replace("_", "-"): str(value) for name, value in headers.items()}
        return self.api.client.request(method, path, content=content, headers=self.headers | headers)

    def create(self, length, **headers):
        response = self.ask("POST", Upload_Length=length, **headers)
        assert response.status_code == 201, response.text
        return response.headers["location"]

    def patch(self, path, offset, content, **headers):
        return self.ask("PATCH", path, content, **{"Content_Type": BODY, "Upload_Offset": offset} | headers)

    def upload(self, content):
        """The id of a complete upload."""
        path = self.create(len(content))
        assert self.patch(path, 0, content).status_code == 204
        return path.rpartition("/")[2]


@pytest.fixture
def tus(api):
    return Tus(api)


def code(response):
    assert response.headers["content-type"] == "application/problem+json"
    return response.status_code, response.json()["code"]


def checksum(content, algorithm="sha256"):
    return f"{algorithm} {base64.b64encode(hashlib.new(algorithm, content).digest()).decode()}"


def test_the_server_says_what_it_speaks(tus):
    headers = tus.ask("OPTIONS").headers
    assert headers["tus-version"] == "1.0.0"
    assert set(headers["tus-extension"].split(",")) == {
        "creation",
        "creation-with-upload",
        "termination",
        "expiration",
        "checksum",
    }
    assert headers["tus-max-size"] == "100000"
    assert headers["tus-checksum-algorithm"] == "sha256,sha1"


def test_a_file_comes_in_pieces(tus, api):
    path = tus.create(len(WAV), Upload_Metadata="filename cGF0aWVudC53YXY=")
    first = tus.patch(path, 0, WAV[:1_000])
    assert (first.status_code, first.headers["upload-offset"]) == (204, "1000")
    head = tus.ask("HEAD", path)
    assert (head.headers["upload-offset"], head.headers["upload-length"]) == ("1000", str(len(WAV)))
    assert head.headers["cache-control"] == "no-store"
    assert parsedate_to_datetime(head.headers["upload-expires"]) > now()
    tus.patch(path, 1_000, WAV[1_000:])
    view = api.get(path).json()
    assert (view["offset"], view["length"], view["sha256"]) == (len(WAV), len(WAV), hashlib.sha256(WAV).hexdigest())
    assert b"".join(sorted_parts(api)) == WAV


def sorted_parts(api):
    return [path.read_bytes() for path in sorted(api.stored())]


def test_the_first_bytes_may_be_sent_with_the_creation(tus, api):
    response = tus.ask("POST", content=WAV[:500], Upload_Length=len(WAV), Content_Type=BODY)
    assert (response.status_code, response.headers["upload-offset"]) == (201, "500")
    whole = tus.ask("POST", content=WAV, Upload_Length=len(WAV), Content_Type=BODY)
    assert api.get(whole.headers["location"]).json()["sha256"] == hashlib.sha256(WAV).hexdigest()


def test_every_answer_says_which_version_is_spoken(tus, api):
    path = tus.create(3)
    answers = [tus.ask("HEAD", path), tus.patch(path, 0, b"a"), tus.ask("OPTIONS"), tus.ask("HEAD", "/v1/uploads/x")]
    answers += [tus.patch(path, 0, b"a"), tus.ask("DELETE", path)]
    assert [answer.headers.get("tus-resumable") for answer in answers] == ["1.0.0"] * 6


def test_another_version_is_refused(tus):
    response = tus.ask("POST", Upload_Length=3, Tus_Resumable="0.2.2")
    assert code(response) == (412, "upload_version_unsupported")
    assert response.headers["tus-version"] == "1.0.0"


def test_a_length_is_a_number_of_bytes(tus):
    for length in ("", "-1", "1e3", "9" * 16):
        assert code(tus.ask("POST", Upload_Length=length)) == (400, "upload_header_invalid")
    assert code(tus.ask("POST", Upload_Defer_Length=1)) == (400, "upload_header_invalid")


def test_more_than_the_limit_is_refused_before_it_comes(tus, api):
    assert code(tus.ask("POST", Upload_Length=100_001)) == (413, "too_large")
    with api.database.reading() as session:
        assert session.scalars(select(UploadRow)).all() == []


def test_bytes_from_another_offset_are_refused(tus):
    path = tus.create(10)
    assert code(tus.patch(path, 3, b"abc")) == (409, "upload_offset_conflict")
    assert code(tus.patch(path, "x", b"abc")) == (400, "upload_header_invalid")
    assert tus.ask("HEAD", path).headers["upload-offset"] == "0"


def test_bytes_of_another_type_are_refused(tus):
    path = tus.create(10)
    assert code(tus.patch(path, 0, b"abc", Content_Type="audio/wav")) == (415, "upload_type_unsupported")


def test_more_bytes_than_announced_are_refused(tus, api):
    path = tus.create(3)
    assert code(tus.patch(path, 0, b"abcd")) == (413, "too_large")
    assert api.get(path).json()["offset"] == 0


def test_bytes_with_the_right_checksum_are_kept_and_others_are_not(tus, api):
    path = tus.create(6)
    for algorithm in ("sha256", "sha1"):
        wrong = tus.patch(path, 0, b"abc", Upload_Checksum=checksum(b"abd", algorithm))
        assert code(wrong) == (460, "upload_checksum_mismatch")
    assert (api.get(path).json()["offset"], api.stored()) == (0, [])
    assert tus.patch(path, 0, b"abc", Upload_Checksum=checksum(b"abc")).status_code == 204
    assert tus.patch(path, 3, b"def", Upload_Checksum=checksum(b"def", "sha1")).status_code == 204
    assert api.get(path).json()["sha256"] == hashlib.sha256(b"abcdef").hexdigest()


def test_a_checksum_that_cannot_be_checked_is_refused(tus):
    path = tus.create(3)
    for header in ("md5 YWJj", "sha256 *", ""):
        assert code(tus.patch(path, 0, b"abc", Upload_Checksum=header)) == (400, "upload_header_invalid")


def test_while_one_writes_another_one_waits(tus, api):
    path = tus.create(3)
    with api.database.writing() as session:
        session.execute(update(UploadRow).values(owner="another", lease_until=now() + api_lease(api)))
    response = tus.patch(path, 0, b"abc")
    assert code(response) == (423, "upload_locked")
    assert int(response.headers["retry-after"]) > 0


def api_lease(api):
    return api.client.app.state.components.settings.request_lease


def test_a_dropped_upload_is_gone(tus, api):
    path = tus.create(10)
    tus.patch(path, 0, b"abc")
    assert tus.ask("DELETE", path).status_code == 204
    assert tus.ask("HEAD", path).status_code == 404
    assert code(tus.patch(path, 3, b"def")) == (404, "upload_not_found")
    assert api.stored() == []


def test_another_tenant_finds_no_upload(tus, api):
    path = tus.create(10)
    foreign = Tus(api, api.foreign_key)
    statuses = {foreign.ask(method, path).status_code for method in ("HEAD", "GET", "DELETE")}
    assert statuses | {foreign.patch(path, 0, b"a").status_code} == {404}
    response = submit(api, {"audio": {"upload": tus.upload(WAV)}}, key=api.foreign_key)
    assert code(response) == (404, "upload_not_found")


def test_an_upload_begun_twice_with_one_key_is_one(tus, api):
    first = tus.create(10, Idempotency_Key="k1")
    assert tus.create(10, Idempotency_Key='"k1"') == first
    assert code(tus.ask("POST", Upload_Length=11, Idempotency_Key="k1")) == (422, "idempotency_key_reused")


def test_the_name_of_the_clients_file_is_nowhere(tus, api):
    tus.create(10, Upload_Metadata="filename cGF0aWVudC53YXY=")
    everything = b"".join(path.read_bytes() for path in api.folder.rglob("*") if path.is_file())
    assert b"patient" not in everything
    assert b"cGF0aWVudC53YXY=" not in everything


def submit(api, body, *, key=None, **headers):
    return api.client.post("/v1/assessments", json=body, headers=api.headers(key) | headers)


def refused(api, body):
    with api.database.reading() as session:
        before = len(session.scalars(select(AssessmentRow)).all())
    stored = api.stored()
    answer = code(submit(api, body))
    with api.database.reading() as session:
        assert len(session.scalars(select(AssessmentRow)).all()) == before
    assert sorted(api.stored()) == sorted(stored)
    return answer


def test_uploads_are_submitted_by_reference(tus, api):
    audio, words = tus.upload(WAV), tus.upload(b"hello there")
    body = {"audio": {"upload": audio}, "transcript": {"upload": words}, "reference": "r", "priority": "batch"}
    response = submit(api, body)
    assert response.status_code == 202, response.text
    assert (response.json()["reference"], response.json()["state"]) == ("r", "queued")
    with api.database.reading() as session:
        row = session.scalars(select(AssessmentRow)).one()
        assert {upload.used_by for upload in session.scalars(select(UploadRow))} == {row.id}
    assert (row.audio_key, row.transcript_key) == (f"uploads/{audio}/", f"uploads/{words}/")
    assert (row.audio_seconds, row.priority) == (1.0, "batch")
    objects = api.client.app.state.components.objects
    assert (objects.get(row.audio_key), objects.get(row.transcript_key)) == (WAV, b"hello there")
    assert refused(api, body) == (409, "upload_used")


def test_a_transcript_may_be_given_as_text(tus, api):
    assert submit(api, {"audio": {"upload": tus.upload(WAV)}, "transcript": {"text": "hello"}}).status_code == 202
    assert submit(api, {"transcript": {"text": "hello there"}}).status_code == 202
    assert b"hello there" in [path.read_bytes() for path in api.stored()]


def test_a_form_tells_its_seconds_too(api):
    assert api.post(audio=WAV).status_code == 202
    with api.database.reading() as session:
        assert session.scalars(select(AssessmentRow)).one().audio_seconds == 1.0


def test_what_an_upload_is_used_as_is_checked_then(tus, api):
    text = tus.upload(b"hello there")
    assert refused(api, {"audio": {"upload": text}}) == (415, "audio_unsupported")
    assert refused(api, {"audio": {"upload": tus.upload(b"")}}) == (422, "audio_empty")
    assert refused(api, {"transcript": {"upload": tus.upload(b"Ada \xff")}}) == (422, "transcript_not_utf8")
    assert refused(api, {"transcript": {"upload": tus.upload(b"a" * 1_001)}}) == (413, "too_large")
    assert refused(api, {"transcript": {"upload": tus.upload(b"")}}) == (422, "transcript_empty")
    path = tus.create(10)
    assert refused(api, {"audio": {"upload": path.rpartition("/")[2]}}) == (409, "upload_incomplete")
    assert refused(api, {"audio": {"upload": "x"}, "transcript": {"text": "hello"}}) == (404, "upload_not_found")
    assert submit(api, {"transcript": {"upload": text}}).status_code == 202


def test_a_wrong_reference_is_refused_without_quoting_it(api):
    for body, answer in WRONG:
        assert refused(api, body) == answer, body
        assert "Ada" not in submit(api, body).text


def test_a_reference_repeated_with_its_key_gets_the_same_answer(tus, api):
    body = {"audio": {"upload": tus.upload(WAV)}, "reference": "r"}
    key = {"Idempotency-Key": "k1"}
    first = submit(api, body, **key)
    second = submit(api, dict(reversed(body.items())), **key)
    assert (second.status_code, second.content) == (202, first.content)
    assert code(submit(api, body | {"reference": "s"}, **key)) == (422, "idempotency_key_reused")


def test_cancelling_an_assessment_removes_its_uploads(tus, api):
    response = submit(api, {"audio": {"upload": tus.upload(WAV)}})
    assert api.delete(response.headers["location"]).status_code == 204
    assert api.stored() == []
    parts = api.client.app.state.components
    assert expire_uploads(parts.database, parts.objects, -api_lease(api)) == 1
