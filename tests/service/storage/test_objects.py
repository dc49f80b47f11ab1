import asyncio
import hashlib
import time
import uuid

import pytest
from pydantic import SecretStr

from service.errors.unavailable import StorageUnavailable
from service.settings import Settings
from service.storage.objects import (
    ObjectStore,
    assessment_prefix,
    contiguous_parts,
    material_prefix,
    open_objects,
    part_key,
    result_prefix,
    upload_key,
    work_prefix,
)
from service.storage.s3 import S3Access

BUCKET = "objects"


@pytest.fixture(scope="session")
def bucket(s3):
    return s3.bucket(BUCKET)


@pytest.fixture
def open_bucket(tmp_path, bucket):
    """Opens a place of its own in the bucket, by the settings that name it and any other ones."""

    def open_bucket(**others):
        settings = {"object_store_url": f"s3://{BUCKET}/{uuid.uuid4()}", **bucket.settings(), **others}
        return open_objects(Settings(data_dir=tmp_path, **settings))

    return open_bucket


@pytest.fixture
def folder(tmp_path) -> ObjectStore:
    return ObjectStore((tmp_path / "objects").as_uri())


@pytest.fixture(params=["folder", "s3"])
def objects(request) -> ObjectStore:
    """An empty store of each kind."""
    return request.getfixturevalue("folder") if request.param == "folder" else request.getfixturevalue("open_bucket")()


async def pieces(count, *, fail=False):
    for _ in range(count):
        yield b"x" * 1_000_000
    if fail:
        raise ValueError("refused")


def files(tmp_path):
    return [path for path in (tmp_path / "objects").rglob("*") if path.is_file()]


def test_a_stored_object_can_be_read(objects):
    key = objects.put("assessments/a/work", b"features")
    assert objects.get(key) == b"features"


def test_a_key_ends_in_the_digest_of_the_content(objects):
    key = objects.put("assessments/a/work", b"features")
    assert key == f"assessments/a/work/{hashlib.sha256(b'features').hexdigest()}"


def test_a_stream_is_stored_whole(objects, tmp_path):
    asyncio.run(objects.put_stream("assessments/a/material/audio", pieces(13)))
    objects.get_to_file("assessments/a/material/audio", tmp_path / "copy")
    assert (tmp_path / "copy").stat().st_size == 13_000_000


def test_a_stream_that_fails_leaves_no_file(folder, tmp_path):
    with pytest.raises(ValueError, match="refused"):
        asyncio.run(folder.put_stream("assessments/a/material/audio", pieces(13, fail=True)))
    assert files(tmp_path) == []


def test_a_stream_that_fails_leaves_no_parts_in_a_bucket(open_bucket, bucket):
    objects = open_bucket()
    with pytest.raises(ValueError, match="refused"):
        asyncio.run(objects.put_stream("assessments/a/material/audio", pieces(13, fail=True)))
    assert objects.list("assessments") == []
    assert "<Upload>" not in bucket.unfinished(BUCKET)


def test_an_object_may_be_empty(objects):
    asyncio.run(objects.put_stream("assessments/a/material/audio", pieces(0)))
    assert objects.get("assessments/a/material/audio") == b""


def test_pieces_add_up_to_the_whole_object(objects):
    content = bytes(range(256)) * 70_000
    objects.write("assessments/a/material/audio", content)
    assert objects.get("assessments/a/material/audio") == content


def test_a_missing_bucket_is_an_unavailable_store(open_bucket):
    nowhere = open_bucket(object_store_url="s3://nowhere/at-all")
    with pytest.raises(StorageUnavailable):
        nowhere.write("assessments/a", b"content")
    with pytest.raises(StorageUnavailable):
        asyncio.run(nowhere.put_stream("assessments/a", pieces(1)))


def test_an_unreachable_server_fails_within_the_retry_timeout(open_bucket, closed_port):
    objects, begun = open_bucket(s3_endpoint=f"http://127.0.0.1:{closed_port}"), time.monotonic()
    with pytest.raises(StorageUnavailable):
        objects.get("assessments/a")
    assert time.monotonic() - begun < 10


def test_no_plain_connection_is_made_unless_the_endpoint_says_so(open_bucket, bucket):
    with pytest.raises(StorageUnavailable):
        open_bucket(s3_endpoint=bucket.endpoint.replace("http:", "https:")).list("assessments")


def test_deleting_a_prefix_deletes_that_assessment_alone(objects):
    objects.put(material_prefix("a"), b"1")
    objects.put(work_prefix("a"), b"2")
    kept = objects.put(result_prefix("b"), b"3")
    objects.delete(assessment_prefix("a"))
    assert objects.list("assessments") == [kept]


def test_a_prefix_is_a_folder_and_not_the_beginning_of_a_name(objects):
    kept = objects.put(work_prefix("ab"), b"1")
    objects.delete(assessment_prefix("a"))
    assert objects.list("assessments") == [kept]


def test_deleting_an_empty_prefix_succeeds(objects):
    objects.delete(assessment_prefix("a"))
    assert objects.list("assessments") == []


def test_a_missing_object_is_a_missing_file(objects):
    with pytest.raises(FileNotFoundError):
        objects.get("assessments/a/result/x")


def test_a_file_without_parts_is_not_found(objects):
    with pytest.raises(FileNotFoundError):
        objects.get(upload_key("u1"))


def test_one_object_can_be_removed_and_all_parts_of_a_file(objects):
    kept, gone = objects.put("assessments/a", b"kept"), objects.put("assessments/a", b"gone")
    objects.remove(gone)
    objects.remove(gone)
    for offset in (0, 1):
        objects.write(part_key("u1", offset, 1), b"1")
    objects.remove(upload_key("u1"))
    assert (objects.list("assessments"), objects.list("uploads")) == ([kept], [])


def test_an_unavailable_store_has_a_detail_for_the_client(folder, tmp_path):
    (tmp_path / "objects" / "assessments").write_text("a file where a folder should be")
    with pytest.raises(StorageUnavailable):
        folder.put("assessments/a", b"content")


def test_the_beginning_of_an_object_can_be_read_alone(objects):
    key = objects.put("assessments/a/material", b"RIFF and much more")
    assert objects.head(key, 4) == b"RIFF"
    assert objects.head(key, 100) == b"RIFF and much more"


def test_the_parts_of_a_file_are_one_file(objects, tmp_path):
    for offset, content in ((0, b"ab"), (2, b"c"), (3, b"def")):
        objects.write(part_key("u", offset, 1), content)
    assert objects.get(upload_key("u")) == b"abcdef"
    assert objects.head(upload_key("u"), 4) == b"abcd"
    assert objects.head(upload_key("u"), 9) == b"abcdef"
    objects.get_to_file(upload_key("u"), tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == b"abcdef"
    objects.delete(upload_key("u"))
    with pytest.raises(FileNotFoundError):
        objects.get(upload_key("u"))


def test_of_parts_at_one_offset_the_highest_fence_counts():
    sizes = {
        part_key("u", 0, 1): 4,
        part_key("u", 4, 1): 9,
        part_key("u", 4, 2): 3,
        part_key("u", 7, 3): 2,
        part_key("u", 13, 1): 5,
        part_key("u", 13, 10): 0,
    }
    chosen = [part_key("u", 0, 1), part_key("u", 4, 2), part_key("u", 7, 3)]
    assert contiguous_parts(upload_key("u"), sizes) == chosen


def test_a_file_whose_beginning_is_missing_has_no_parts():
    assert contiguous_parts(upload_key("u"), {part_key("u", 3, 1): 4}) == []


def test_folders_are_one_level_deep(objects):
    for prefix in (material_prefix("a"), work_prefix("a"), material_prefix("b")):
        objects.put(prefix, b"1")
    assert objects.folders("assessments") == ["assessments/a", "assessments/b"]
    assert objects.newest("assessments/a") is not None
    assert objects.newest("assessments/c") is None


def test_the_check_passes_only_for_a_store_that_answers(objects, closed_port):
    objects.check()
    access = S3Access(
        endpoint=f"http://127.0.0.1:{closed_port}", region="x", key_id=SecretStr("a"), secret_key=SecretStr("b")
    )
    away = ObjectStore("s3://bucket", access)
    with pytest.raises(StorageUnavailable):
        away.check()
