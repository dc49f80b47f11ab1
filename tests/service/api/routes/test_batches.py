import io
import json
import tarfile
import uuid

import pytest
from sqlalchemy import func, select

from service.auth.caller import Caller
from service.storage.objects import part_key
from service.storage.tables import AssessmentRow, BatchRow, StageRow, UploadRow
from service.uploads.repository import UploadRepository
from tests.waiting import wait_for

WAV = b"RIFF\x00\x00\x00\x00WAVE" + b"x" * 300
JSON_LINES, TAR = "application/x-ndjson", "application/x-tar"


@pytest.fixture
def upload(api):
    """A file that was uploaded before; `complete=False` leaves its end out."""

    def upload(content=WAV, *, tenant="ward-a", complete=True):
        with api.database.writing() as session:
            stored = UploadRepository(session, Caller(key_id="aaaaaaaa", tenant=tenant)).add(len(content))
            session.flush()
            row = session.get(UploadRow, stored.id)
            row.offset, row.sha256 = len(content), "0" * 64 if complete else None
        api.client.app.state.components.objects.write(part_key(stored.id, 0, 1), content)
        return stored.id

    return upload


def send(api, body, kind=JSON_LINES, **headers):
    return api.client.post("/v1/batches", content=body, headers={**api.headers(), "Content-Type": kind, **headers})


def lines(*values):
    return b"\n".join(value if isinstance(value, bytes) else json.dumps(value).encode() for value in values)


def archive(*members, manifest=None, **options):
    """A tar of (name, content); a content that is no bytes is a member's type."""
    members = members if manifest is None else (("manifest.jsonl", lines(*manifest)), *members)
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", **options) as tar:
        for name, content in members:
            member = tarfile.TarInfo(name)
            if isinstance(content, str):
                member.type, member.linkname = content.encode(), "elsewhere"
                tar.addfile(member)
            else:
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
    return file.getvalue()


def count(api, table):
    with api.database.reading() as session:
        return session.scalar(select(func.count()).select_from(table))


def refused(api, response, status=422, code="batch_invalid"):
    """A refused batch leaves neither rows nor objects; returns its problems by place."""
    assert response.status_code == status, response.text
    assert response.json()["code"] == code
    assert [count(api, table) for table in (BatchRow, AssessmentRow, StageRow)] == [0, 0, 0]
    assert not [path for path in api.stored() if "uploads" not in path.parts]
    return [(problem["location"], problem["reason"]) for problem in response.json().get("errors", [])]


def json_lines(response):
    assert response.status_code == 200, response.text
    return [json.loads(line) for line in response.text.splitlines()]


def test_a_batch_of_uploads_becomes_assessments_of_its_lane(api, upload):
    first = {"custom_id": "a", "audio_upload": upload(), "transcript_upload": upload(b"hello"), "reference": "visit-1"}
    first |= {"participant": "Ann", "participant_channel": 2}
    response = send(api, lines(first, {"custom_id": "b", "audio_upload": upload()}) + b"\n")
    assert response.status_code == 202, response.text
    body = response.json()
    assert response.headers["location"] == body["links"]["self"] == f"/v1/batches/{body['id']}"
    assert response.headers["retry-after"] == "1"
    assert body["state"] == "running"
    assert (body["counts"]["queued"], body["counts"]["total"], body["eta_seconds"]) == (2, 2, None)
    with api.database.reading() as session:
        rows = session.scalars(select(AssessmentRow).order_by(AssessmentRow.batch_line)).all()
        assert [(row.custom_id, row.batch_line, row.priority, row.reference) for row in rows] == [
            ("a", 1, "batch", "visit-1"),
            ("b", 2, "batch", None),
        ]
        assert rows[0].audio_key == f"uploads/{first['audio_upload']}/"
        assert [row.recording for row in rows] == [{"participant": ["Ann"], "participant_channel": 2}, None]
        assert set(session.scalars(select(UploadRow.used_by))) == {body["id"]}
        assert count(api, StageRow) == 2
    assessment = api.get(f"/v1/assessments/{rows[0].id}").json()
    assert (assessment["state"], assessment["bundle"]) == ("queued", "rehearsal")
    wait_for(lambda: list((api.folder / "queue").glob("*.prepare.msg")))


ABSENT = "11111111-1111-1111-1111-111111111111"
WRONG_LINES = {
    "not JSON": (b"{", "is not JSON"),
    "nested without end": (b"[" * 5000, "is not JSON"),
    "no object": (b"[1]", "is not a JSON object"),
    "no custom_id": ({"audio_upload": ABSENT}, "custom_id is missing"),
    "an empty custom_id": ({"custom_id": "", "audio_upload": ABSENT}, "custom_id is not valid (string_too_short)"),
    "no upload's id": ({"custom_id": "a", "audio_upload": "\0"}, "audio_upload is not valid (string_pattern_mismatch)"),
    "an unknown field": (
        {"custom_id": "a", "Jane Doe": 1},
        "has an unknown field; known fields: participant, interviewer, audio_track, participant_channel, custom_id, "
        "task, reference, audio_upload, transcript_upload",
    ),
    "an unknown task": (
        {"custom_id": "a", "audio_upload": ABSENT, "task": "tarot"},
        "task is not known; known tasks: spectrum",
    ),
    "no material": ({"custom_id": "a"}, "names neither audio nor a transcript"),
    "one file twice": (
        {"custom_id": "a", "audio_upload": ABSENT, "transcript_upload": ABSENT},
        "names one file as both audio and transcript",
    ),
}


@pytest.mark.parametrize(("line", "reason"), WRONG_LINES.values(), ids=WRONG_LINES)
def test_an_invalid_line_is_reported_with_its_number(api, line, reason):
    assert refused(api, send(api, lines(b"", line))) == [("line 2", reason)]


def test_all_problems_of_a_batch_are_reported_together(api):
    response = send(api, lines({"custom_id": "a"}, b"{", {"custom_id": "a", "audio_upload": ABSENT}))
    assert refused(api, response) == [
        ("line 1", "names neither audio nor a transcript"),
        ("line 2", "is not JSON"),
        ("line 3", "custom_id was used in line 1"),
    ]
    assert "3 problems" in response.json()["detail"]


def sent(api, wrong):
    response = send(api, lines(*({"custom_id": str(number), **line} for number, line in enumerate(wrong))))
    assert response.status_code == 422
    return [(problem["location"], problem["reason"]) for problem in response.json()["errors"]]


def test_unusable_uploads_are_reported_with_their_lines(api, upload):
    used, free = upload(), upload()
    assert send(api, lines({"custom_id": "a", "audio_upload": used})).status_code == 202
    wrong = [
        {"audio_upload": used},
        {"audio_upload": ABSENT},
        {"audio_upload": upload(tenant="ward-b"), "transcript_upload": free},
        {"transcript_upload": upload(complete=False)},
    ]
    assert sent(api, wrong) == [
        ("line 1", "audio_upload names an upload that was used before"),
        ("line 2", "audio_upload names no upload"),
        ("line 3", "audio_upload names no upload"),
        ("line 4", "transcript_upload names an upload that is not complete"),
    ]
    assert count(api, AssessmentRow) == 1
    with api.database.reading() as session:
        assert session.get(UploadRow, free).used_by is None


def test_uploads_with_invalid_content_are_reported_with_their_lines(api, upload):
    wrong = [
        {"audio_upload": upload(b"MZ" * 100)},
        {"audio_upload": upload()},
        {"transcript_upload": upload(b"x" * 1001)},
        {"transcript_upload": upload(b"\xff")},
    ]
    assert sent(api, wrong) == [
        ("line 1", "The audio does not begin like any accepted audio format. (audio_unsupported)"),
        ("line 3", "The transcript is larger than 1000 bytes. (too_large)"),
        ("line 4", "The transcript is not UTF-8 text. (transcript_not_utf8)"),
    ]
    assert count(api, AssessmentRow) == 0


def test_the_length_of_recordings_is_guessed(api, upload):
    assert send(api, lines({"custom_id": "a", "audio_upload": upload()})).status_code == 202
    assert send(api, archive(*FILES, manifest=MANIFEST), TAR).status_code == 202
    with api.database.reading() as session:
        assert all(session.scalars(select(AssessmentRow.audio_seconds)))


def test_one_upload_serves_one_line(api, upload):
    shared = upload()
    response = send(api, lines(*({"custom_id": name, "audio_upload": shared} for name in "ab")))
    assert refused(api, response) == [("line 2", "names a file that line 1 names; each belongs to one line")]


def test_only_the_first_hundred_problems_are_listed(api):
    response = send(api, b"{\n" * 250)
    assert len(refused(api, response)) == 100
    assert response.json()["detail"] == "250 problems were found. The first 100 are listed."


@pytest.mark.parametrize("body", [b"", b"\n \n"])
def test_an_empty_batch_is_refused(api, body):
    assert refused(api, send(api, body)) == [("body", "holds no lines")]


def test_a_line_without_end_is_refused(api):
    assert refused(api, send(api, b"x" * 20_000)) == [("line 1", "is longer than 8192 bytes")]


def test_a_batch_of_another_type_is_refused(api):
    refused(api, send(api, b"custom_id,audio", "text/csv"), 415, "batch_unsupported")


def test_nothing_of_a_batch_shows_what_the_client_called_its_files(api):
    body = archive(("jane doe.wav", WAV), manifest=[{"custom_id": "a", "audio": "jane doe.wav"}])
    assert send(api, body, TAR).status_code == 202
    everything = b"".join(path.read_bytes() for path in api.folder.rglob("*") if path.is_file())
    assert b"jane doe" not in everything


MANIFEST = [{"custom_id": "a", "audio": "./a.wav"}, {"custom_id": "b", "audio": "b.wav", "transcript": "b.vtt"}]
FILES = [("a.wav", WAV), ("b.wav", WAV * 300), ("./b.vtt", b"hello there")]


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_a_tar_brings_its_files_along(api, form):
    long = "ward/" + "x" * 200 + "é.wav"
    manifest = MANIFEST if form == tarfile.USTAR_FORMAT else [*MANIFEST, {"custom_id": "c", "audio": long}]
    files = FILES if form == tarfile.USTAR_FORMAT else [("ward", "5"), *FILES, ("._a.wav", b"mac"), (long, WAV)]
    response = send(api, archive(*files, manifest=manifest, format=form), TAR)
    assert response.status_code == 202, response.text
    with api.database.reading() as session:
        rows = session.scalars(select(AssessmentRow).order_by(AssessmentRow.batch_line)).all()
    objects = api.client.app.state.components.objects
    assert [row.custom_id for row in rows] == [line["custom_id"] for line in manifest]
    assert objects.get(rows[0].audio_key) == WAV
    assert objects.get(rows[1].audio_key) == WAV * 300
    assert objects.get(rows[1].transcript_key) == b"hello there"


WRONG_TARS = {
    "a missing file": (FILES[:2], [("line 2", "transcript is not in the archive")]),
    "one too many": ([*FILES, ("c.wav", WAV)], [("member 5", "is not named in the manifest")]),
    "a file twice": ([*FILES, FILES[0]], [("line 1", "audio is in the archive twice")]),
    "no audio": (
        [("a.wav", b"MZ\x90\x00" * 9), *FILES[1:]],
        [("line 1", "audio does not begin like any accepted audio format")],
    ),
    "an empty file": ([("a.wav", b""), *FILES[1:]], [("line 1", "audio is empty")]),
    "a recording too large": ([("a.wav", WAV * 400), *FILES[1:]], [("line 1", "audio is larger than 100000 bytes")]),
    "a transcript too large": (
        [*FILES[:2], ("b.vtt", b"x" * 1001)],
        [("line 2", "transcript is larger than 1000 bytes")],
    ),
    "no UTF-8": ([*FILES[:2], ("b.vtt", b"\xff")], [("line 2", "transcript is not UTF-8 text")]),
    "no words": ([*FILES[:2], ("b.vtt", b" \n")], [("line 2", "transcript holds no words")]),
}


@pytest.mark.parametrize(("files", "expected"), WRONG_TARS.values(), ids=WRONG_TARS)
def test_a_tar_whose_files_are_wrong_leaves_nothing(api, files, expected):
    assert refused(api, send(api, archive(*files, manifest=MANIFEST), TAR)) == expected


WHOLE = archive(*FILES, manifest=MANIFEST)
PAX_BOMB = tarfile.TarInfo("x")
PAX_BOMB.type, PAX_BOMB.size = tarfile.XHDTYPE, 10**9


def extended(record):
    """A tar whose first file has one pax record."""
    info = tarfile.TarInfo("x")
    info.type, info.size = tarfile.XHDTYPE, len(record)
    return info.tobuf() + record.ljust(-(-len(record) // 512) * 512, b"\0") + WHOLE


HOSTILE = {
    "nothing": b"",
    "noise": b"noise" * 1000,
    "gzip": b"\x1f\x8b" + b"x" * 1000,
    "files before the manifest": archive(*FILES),
    "a link": archive(("a.wav", "2"), *FILES[1:], manifest=MANIFEST),
    "a hard link": archive(("a.wav", "1"), *FILES[1:], manifest=MANIFEST),
    "a device": archive(("a.wav", "3"), *FILES[1:], manifest=MANIFEST),
    "a pipe": archive(("a.wav", "6"), *FILES[1:], manifest=MANIFEST),
    "cut off in a file": WHOLE[:6000],
    "cut off in a header": WHOLE[: 1024 + 100],
    "a header that claims a gigabyte": PAX_BOMB.tobuf() + b"x" * 2000,
    "a size of 5,000 digits": extended(b"5011 size=" + b"9" * 5000 + b"\n"),
    "a record whose length has 5,000 digits": extended(b"9" * 5000 + b" size=1\n"),
    "more after the end": WHOLE + b"x" * 1_100_000,
}


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_archive_leaves_nothing(api, body):
    refused(api, send(api, body, TAR), 400, "batch_unreadable")


@pytest.mark.parametrize("settings", [{"batch_limit": 5000}], indirect=True)
def test_an_archive_larger_than_the_limit_is_refused(api):
    def body():  # without a length, so that it has to be counted
        yield WHOLE

    refused(api, send(api, body(), TAR), 413, "too_large")
    refused(api, send(api, WHOLE, TAR), 413, "too_large")


@pytest.mark.parametrize("settings", [{"batch_lines": 2}], indirect=True)
def test_more_lines_than_the_limit_are_refused(api):
    assert refused(api, send(api, b'{"custom_id": "a"}\n' * 3))[-1] == ("body", "has more than 2 lines")


@pytest.mark.parametrize("form", [JSON_LINES, TAR])
def test_a_batch_sent_twice_with_one_key_is_one_batch(api, upload, form):
    body = WHOLE if form == TAR else lines({"custom_id": "a", "audio_upload": upload()})
    first = send(api, body, form, **{"Idempotency-Key": '"k1"'})
    second = send(api, body, form, **{"Idempotency-Key": '"k1"'})
    assert (first.status_code, second.status_code) == (202, 202)
    assert (second.json(), second.headers["location"]) == (first.json(), first.headers["location"])
    assert second.headers["idempotency-replayed"] == "true"
    assert count(api, BatchRow) == 1
    other = send(api, body + b"\n", form, **{"Idempotency-Key": '"k1"'})
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")


def test_batches_of_others_do_not_exist(api, upload):
    path = send(api, lines({"custom_id": "a", "audio_upload": upload()})).headers["location"]
    for answer in (
        api.get(path, key=api.foreign_key),
        api.get(f"{path}/output", key=api.foreign_key),
        api.get(f"{path}/errors", key=api.foreign_key),
        api.delete(path, key=api.foreign_key),
        api.get(f"/v1/batches/{uuid.uuid4()}"),
    ):
        assert (answer.status_code, answer.json()["code"]) == (404, "batch_not_found")
    assert api.get("/v1/batches", key=api.foreign_key).json() == {"items": [], "next_cursor": None}
    assert api.client.get(path).status_code == 401


def test_batches_are_listed_newest_first_a_page_at_a_time(api, upload):
    ids = [send(api, lines({"custom_id": "a", "audio_upload": upload()})).json()["id"] for _ in range(3)]
    first = api.get("/v1/batches?limit=2").json()
    second = api.get(f"/v1/batches?limit=2&cursor={first['next_cursor']}").json()
    assert [item["id"] for item in (*first["items"], *second["items"])] == ids[::-1]
    assert second["next_cursor"] is None
    assert api.get("/v1/batches?cursor=x").status_code == 422


def test_a_batch_can_be_cancelled_and_then_erased(api, upload):
    body = lines(*({"custom_id": name, "audio_upload": upload()} for name in "abc"))
    path = send(api, body).headers["location"]
    assert api.delete(path).status_code == 204
    ended = wait_for(lambda: (view := api.get(path).json())["state"] == "cancelled" and view)
    assert (ended["counts"]["cancelled"], ended["counts"]["total"]) == (3, 3)
    assert ended["finished_at"] is not None
    assert ended["eta_seconds"] == 0.0
    assert json_lines(api.get(f"{path}/output")) == []
    errors = json_lines(api.get(f"{path}/errors"))
    assert [(line["custom_id"], line["line"], line["state"], line["error"]["code"]) for line in errors] == [
        (name, number, "cancelled", "cancelled") for number, name in enumerate("abc", start=1)
    ]
    assert api.delete(path).status_code == 204
    assert api.get(path).json()["code"] == "batch_not_found"
    assert [count(api, table) for table in (BatchRow, AssessmentRow, StageRow, UploadRow)] == [0, 0, 0, 0]
    assert api.stored() == []


def test_erasing_one_line_takes_it_out_of_the_batch_s_files(api, upload):
    path = send(api, lines(*({"custom_id": name, "audio_upload": upload()} for name in "ab"))).headers["location"]
    api.delete(path)
    first, second = wait_for(
        lambda: api.get(path).json()["state"] == "cancelled" and json_lines(api.get(f"{path}/errors"))
    )
    assert api.delete(f"/v1/assessments/{first['assessment']}").status_code == 204
    assert json_lines(api.get(f"{path}/errors")) == [second]
    wait_for(lambda: [file for file in api.stored() if "errors" in file.parts])
    assert json_lines(api.get(f"{path}/errors")) == [second]
    assert api.get(path).json()["counts"]["total"] == 2
