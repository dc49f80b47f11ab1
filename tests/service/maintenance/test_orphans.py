import os
from datetime import timedelta

import pytest
from sqlalchemy import update

from service.assessments.states import State
from service.maintenance.orphans import remove_orphans
from service.maintenance.retention import remove_material, retention
from service.maintenance.upload_expiry import expire_uploads
from service.settings import Settings
from service.storage.database import now
from service.storage.objects import material_prefix, part_key, upload_key
from service.storage.tables import AssessmentRow, BatchRow, UploadRow
from service.uploads.repository import UploadRepository
from service.uploads.writer import UploadWriter

HOUR = timedelta(hours=1)
NOTHING = timedelta(0)


@pytest.fixture
def upload(database, objects, caller):
    def upload(used_by=None):
        with database.writing() as session:
            upload_id = UploadRepository(session, caller).add(3).id
        writer = UploadWriter(database, objects, caller, HOUR)
        writer.open(upload_id, 0)
        writer.store(b"abc")
        writer.close()
        if used_by is not None:
            with database.writing() as session:
                UploadRepository(session, caller).claim(upload_id, used_by)
        return upload_id

    return upload


def test_objects_without_a_row_are_deleted_once_they_are_old(database, objects, submit, upload):
    submit(database, "known")
    kept = [objects.put(material_prefix("known"), b"1"), part_key(upload(), 0, 1)]
    objects.put(material_prefix("unknown"), b"2")
    objects.write(part_key("unknown", 0, 1), b"3")
    assert remove_orphans(database, objects, HOUR) == 0
    assert remove_orphans(database, objects, NOTHING) == 2
    assert objects.list("") == sorted(kept)


def test_half_written_files_are_deleted_once_they_are_old(database, objects, tmp_path):
    unfinished = tmp_path / "objects" / "assessments" / "dead" / "material" / "audio#1"
    unfinished.parent.mkdir(parents=True)
    unfinished.write_bytes(b"half a recording")
    assert remove_orphans(database, objects, HOUR) == 0
    two_hours_ago = now().timestamp() - 7_200
    os.utime(unfinished, (two_hours_ago, two_hours_ago))
    assert remove_orphans(database, objects, HOUR) == 1
    assert not unfinished.exists()


def test_unused_uploads_expire(database, objects, upload):
    upload()
    assert expire_uploads(database, objects, HOUR) == 0
    assert expire_uploads(database, objects, NOTHING) == 1
    assert objects.list("uploads") == []


def test_an_upload_that_is_being_written_does_not_expire(database, objects, caller):
    with database.writing() as session:
        upload_id = UploadRepository(session, caller).add(3).id
    UploadWriter(database, objects, caller, HOUR).open(upload_id, 0)
    assert expire_uploads(database, objects, NOTHING) == 0


def test_an_upload_ends_with_the_material_of_its_assessment(database, objects, upload, submit):
    upload_id = upload("a1")
    submit(database, "a1", audio_key=upload_key(upload_id))
    assert expire_uploads(database, objects, NOTHING) == 0
    assert objects.get(upload_key(upload_id)) == b"abc"
    with database.writing() as session:
        session.execute(update(AssessmentRow).values(state=State.SUCCEEDED, finished_at=now()))
    remove_material(database, objects, retention(Settings()))
    assert objects.list("uploads") == []
    assert expire_uploads(database, objects, NOTHING) == 1


def test_a_file_of_a_batch_is_kept_until_the_batch_is_finished(database, objects, upload):
    upload("b1")
    moment = now()
    row = BatchRow(
        id="b1", tenant="ward-a", state="running", lines=1, request_id="r", created_at=moment, updated_at=moment
    )
    with database.writing() as session:
        session.add(row)
    assert expire_uploads(database, objects, NOTHING) == 0
    with database.writing() as session:
        session.execute(update(BatchRow).values(finished_at=now()))
    assert expire_uploads(database, objects, NOTHING) == 1


def test_a_row_that_expired_before_its_objects_were_deleted_leaves_an_orphan_at_most(database, objects, upload):
    upload_id = upload()
    with database.writing() as session:
        session.delete(session.get(UploadRow, upload_id))
    assert remove_orphans(database, objects, NOTHING) == 1
    assert objects.list("") == []
