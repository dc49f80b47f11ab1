from datetime import timedelta

import pytest
from sqlalchemy import func, select

from service.jobs.batch import BatchLine, StoredLine
from service.jobs.batch_submission import BatchSubmission
from service.jobs.upload_writing import UploadWriter
from service.jobs.uploads import UploadRepository
from service.storage.tables import AssessmentRow, StageRow, UploadRow

pytestmark = [
    pytest.mark.parametrize("database_url", ["postgresql"], indirect=True),
    pytest.mark.parametrize("committed", [True, False]),
]


def line(number, *, transcript=None):
    return BatchLine(
        line=number, custom_id=f"c{number}", task="spectrum", reference=None, audio=None, transcript=transcript
    )


@pytest.fixture
def submission(database, caller, join_worker):
    join_worker(database)
    return BatchSubmission(database, caller, "b1", "r1")


def counts(database):
    with database.reading() as session:
        return [session.scalar(select(func.count()).select_from(table)) for table in (AssessmentRow, StageRow)]


def test_a_batch_is_kept_once_though_its_connection_breaks(database, submission, breaking, committed):
    then, tries = breaking
    lines = [
        StoredLine(line=line(number), assessment_id=f"a{number}", audio_key="k", transcript_key=None)
        for number in (1, 2, 3)
    ]
    assert submission.take_stored(lines, then).id == "b1"
    assert len(tries) == (1 if committed else 2)
    assert counts(database) == [3, 3]


@pytest.fixture
def uploaded(database, objects, caller):
    """A transcript that has come as a whole."""
    words = b"I slept badly this week."
    with database.writing() as session:
        name = UploadRepository(session, caller).add(len(words)).id
    writer = UploadWriter(database, objects, caller, timedelta(seconds=30), deferred=False)
    writer.open(name, 0)
    writer.store(words)
    writer.close()
    return name


def test_its_uploads_are_taken_once(database, objects, submission, breaking, committed, uploaded):
    then, tries = breaking
    batch = submission.take_uploaded([line(1, transcript=uploaded)], objects, 1_000, then)
    assert (batch.id, len(tries)) == ("b1", 1 if committed else 2)
    assert counts(database) == [1, 1]
    with database.reading() as session:
        assert session.scalars(select(UploadRow.used_by)).all() == ["b1"]
