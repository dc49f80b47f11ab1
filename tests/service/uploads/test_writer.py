"""What is stored, what counts, and who may write; on both databases, for the rows decide it."""

import hashlib
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from service.errors.not_found import UploadNotFound
from service.errors.request import UploadIncomplete, UploadLocked, UploadOffsetConflict, UploadUsed
from service.storage.database import now
from service.storage.objects import part_key, upload_key
from service.storage.tables import UploadRow
from service.uploads.repository import UploadRepository
from service.uploads.writer import UploadWriter, find_and_complete

LEASE = timedelta(seconds=30)


@pytest.fixture
def begin(database, objects, caller):
    """A writer at an offset of an upload of ten bytes, or of the one named."""

    def begin(offset=0, upload_id=None, *, lease=LEASE, length=10, by=caller, deferred=False):
        if upload_id is None:
            with database.writing() as session:
                upload_id = UploadRepository(session, caller).add(length).id
        writer = UploadWriter(database, objects, by, lease, deferred=deferred)
        writer.open(upload_id, offset)
        return upload_id, writer

    return begin


@pytest.fixture
def row(database):
    def row():
        with database.reading() as session:
            return session.scalars(select(UploadRow)).one()

    return row


def test_what_is_stored_counts_at_once(begin, row, objects):
    upload_id, writer = begin()
    writer.store(b"abc")
    assert (row().offset, row().sha256) == (3, None)
    writer.store(b"defghij")
    assert writer.remaining == 0
    writer.close()
    assert (row().offset, row().sha256, row().owner) == (10, hashlib.sha256(b"abcdefghij").hexdigest(), None)
    assert objects.get(upload_key(upload_id)) == b"abcdefghij"
    assert objects.head(upload_key(upload_id), 2) == b"ab"


def test_a_file_that_came_in_several_requests_has_the_digest_of_the_whole(begin, row):
    upload_id, first = begin()
    first.store(b"abc")
    first.close()
    _, second = begin(3, upload_id)
    second.store(b"defghij")
    second.close()
    assert row().sha256 == hashlib.sha256(b"abcdefghij").hexdigest()


def test_an_empty_file_is_complete_without_any_part(begin, row):
    _, writer = begin(length=0)
    writer.close()
    assert row().sha256 == hashlib.sha256(b"").hexdigest()


def test_one_request_writes_at_a_time(begin):
    upload_id, _ = begin()
    with pytest.raises(UploadLocked) as locked:
        begin(0, upload_id)
    assert 0 < locked.value.retry_after <= LEASE.total_seconds()


def test_only_from_where_the_upload_stands(begin):
    upload_id, writer = begin()
    writer.store(b"abc")
    writer.close()
    for offset in (0, 2, 4):
        with pytest.raises(UploadOffsetConflict):
            begin(offset, upload_id)


def test_another_tenant_finds_nothing(begin, stranger, database, objects):
    upload_id, _ = begin()
    with pytest.raises(UploadNotFound):
        begin(0, upload_id, by=stranger)
    with pytest.raises(UploadNotFound):
        find_and_complete(database, objects, stranger, upload_id, LEASE)
    with pytest.raises(UploadNotFound), database.writing() as session:
        UploadRepository(session, stranger).delete(upload_id)


def test_a_part_of_a_request_that_died_before_it_counted_is_never_read(begin, objects):
    upload_id, _ = begin(lease=-LEASE)
    objects.write(part_key(upload_id, 0, 1), b"too long to be overlooked")
    objects.write(part_key(upload_id, 25, 1), b"and one more beyond the end")
    _, second = begin(0, upload_id)
    second.store(b"ab")
    second.close()
    _, third = begin(2, upload_id)
    third.store(b"cdefghij")
    third.close()
    assert objects.get(upload_key(upload_id)) == b"abcdefghij"


def test_a_request_that_was_taken_for_dead_changes_nothing(begin, objects, row):
    """It wakes after another one has written the same place: before the digest is made, and afterwards."""
    upload_id, stale = begin(lease=-LEASE)
    _, fresh = begin(0, upload_id)
    fresh.store(b"ab")
    with pytest.raises(UploadLocked):
        stale.store(b"XXXXX")
    fresh.store(b"cdefghij")
    fresh.close()
    objects.write(part_key(upload_id, 0, 1), b"XXXXX")
    assert objects.get(upload_key(upload_id)) == b"abcdefghij"
    assert row().sha256 == hashlib.sha256(b"abcdefghij").hexdigest()


def test_what_is_deferred_counts_together_or_not_at_all(begin, objects, row):
    upload_id, writer = begin(deferred=True)
    writer.store(b"abc")
    writer.store(b"de")
    assert row().offset == 0
    writer.discard()
    assert (row().offset, writer.remaining, objects.list("uploads")) == (0, 10, [])
    writer.store(b"ABC")
    writer.commit()
    writer.close()
    assert (row().offset, objects.get(upload_key(upload_id))) == (3, b"ABC")


def test_the_digest_is_of_what_counted(begin, row):
    _, writer = begin(deferred=True)
    writer.store(b"wrong")
    writer.discard()
    writer.store(b"abcde")
    writer.store(b"fghij")
    writer.commit()
    writer.close()
    assert row().sha256 == hashlib.sha256(b"abcdefghij").hexdigest()


def test_an_upload_deleted_meanwhile_leaves_no_objects(begin, database, caller, objects):
    upload_id, writer = begin()
    writer.store(b"abc")
    with database.writing() as session:
        UploadRepository(session, caller).delete(upload_id)
    objects.delete(upload_key(upload_id))
    with pytest.raises(UploadNotFound):
        writer.store(b"def")
    assert objects.list("uploads") == []
    assert writer.renew() is False


def test_a_digest_that_a_dead_request_still_owed_is_made_at_the_next_look(begin, database, objects, caller):
    upload_id, writer = begin()
    writer.store(b"abcdefghij")
    assert find_and_complete(database, objects, caller, upload_id, LEASE).complete is False
    with database.writing() as session:
        session.execute(update(UploadRow).values(lease_until=now()))
    assert (
        find_and_complete(database, objects, caller, upload_id, LEASE).sha256
        == hashlib.sha256(b"abcdefghij").hexdigest()
    )


def test_an_upload_is_taken_once_and_complete(begin, database, caller):
    upload_id, writer = begin()

    def take(used_by):
        with database.writing() as session:
            UploadRepository(session, caller).claim_all([upload_id, upload_id], used_by)

    with pytest.raises(UploadIncomplete):
        take("a1")
    writer.store(b"abcdefghij")
    writer.close()
    take("a1")
    take("a1")
    with pytest.raises(UploadUsed):
        take("a2")
    with pytest.raises(UploadUsed), database.writing() as session:
        UploadRepository(session, caller).delete(upload_id)
    with pytest.raises(UploadUsed):
        begin(10, upload_id)
