from datetime import timedelta

import pytest
from sqlalchemy import func, select, update

from service.assessments.states import State
from service.maintenance.retention import BACKUP_LOCK, Retention, erase_expired_assessments, remove_material, retention
from service.settings import Settings
from service.storage.database import now
from service.storage.objects import material_prefix, part_key, result_prefix, upload_key, work_prefix
from service.storage.tables import AssessmentRow

AT_THE_END = retention(Settings())
HOUR = timedelta(hours=1)


class Ended:
    """An assessment that has ended some time ago, with an object of each class."""

    def __init__(self, database, objects, submit, ago=timedelta(0), state=State.SUCCEEDED):
        self.database, self.objects = database, objects
        self.audio = objects.put(material_prefix("a1"), b"audio")
        self.words = objects.put(material_prefix("a1"), b"words")
        self.work = objects.put(work_prefix("a1"), b"samples")
        self.result = objects.put(result_prefix("a1"), b"result")
        submit(database, audio_key=self.audio)
        self.set(state=state, finished_at=now() - ago, transcript_key=self.words, result_key=self.result)

    def set(self, **values):
        with self.database.writing() as session:
            session.execute(update(AssessmentRow).values(**values))

    def row(self):
        with self.database.reading() as session:
            return session.scalars(select(AssessmentRow)).one_or_none()

    def left(self):
        return set(self.objects.list("assessments"))


@pytest.fixture
def ended(database, objects, submit):
    return lambda **options: Ended(database, objects, submit, **options)


@pytest.mark.parametrize("state", [State.SUCCEEDED, State.ABSTAINED, State.FAILED, State.CANCELLED])
def test_by_default_only_the_result_is_kept_after_the_end(database, objects, ended, state):
    assessment = ended(state=state)
    assessment.set(recording={"participant": ["Ann"]})
    remove_material(database, objects, AT_THE_END)
    assert assessment.left() == {assessment.result}
    row = assessment.row()
    assert (row.audio_key, row.transcript_key, row.recording) == (None, None, None)
    assert assessment.row().material_removed_at is not None


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_nothing_is_deleted_while_a_backup_runs(database, objects, ended):
    assessment = ended()
    with database.engine.connect() as backup:
        backup.execute(select(func.pg_advisory_xact_lock(BACKUP_LOCK)))
        remove_material(database, objects, AT_THE_END, "a1")
        assert len(assessment.left()) == 4
    remove_material(database, objects, AT_THE_END)
    assert assessment.left() == {assessment.result}


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_erased_assessments_are_deleted_even_during_a_backup(database, objects, ended):
    assessment = ended()
    with database.engine.connect() as backup:
        backup.execute(select(func.pg_advisory_xact_lock(BACKUP_LOCK)))
        remove_material(database, objects, AT_THE_END, "a1", erased=True)
    assert assessment.left() == {assessment.result}


def test_material_of_unfinished_assessments_is_kept(database, objects, ended):
    assessment = ended()
    assessment.set(state=State.ENCODING, finished_at=None)
    remove_material(database, objects, AT_THE_END, "a1")
    assert assessment.left() == {assessment.audio, assessment.words, assessment.work, assessment.result}


def test_each_class_has_its_own_retention_and_intermediate_objects_none(database, objects, ended):
    assessment = ended(ago=HOUR)
    kept = Retention(audio=2 * HOUR, transcripts=HOUR / 2, results=None)
    remove_material(database, objects, kept)
    assert assessment.left() == {assessment.audio, assessment.result}
    assert assessment.row().material_removed_at is None
    assessment.set(finished_at=now() - 3 * HOUR)
    remove_material(database, objects, kept)
    assert assessment.left() == {assessment.result}


def test_files_uploaded_in_parts_are_deleted_too(database, objects, ended):
    assessment = ended()
    for number in range(2):
        objects.write(part_key("u1", 4 * number, 1), b"part")
    assessment.set(audio_key=upload_key("u1"))
    remove_material(database, objects, AT_THE_END)
    assert objects.list("uploads") == []


def test_results_are_kept_until_erased_unless_a_retention_is_set(database, objects, ended):
    assessment = ended(ago=1000 * HOUR)
    assert erase_expired_assessments(database, objects, AT_THE_END) == 0
    assert (
        erase_expired_assessments(database, objects, Retention(audio=HOUR, transcripts=HOUR, results=1001 * HOUR)) == 0
    )
    assert assessment.left()
    assert erase_expired_assessments(database, objects, Retention(audio=HOUR, transcripts=HOUR, results=HOUR)) == 1
    assert (assessment.left(), assessment.row()) == (set(), None)


def test_unfinished_assessments_never_expire(database, objects, ended):
    assessment = ended(ago=1000 * HOUR)
    assessment.set(state=State.QUEUED)
    assert erase_expired_assessments(database, objects, Retention(audio=HOUR, transcripts=HOUR, results=HOUR)) == 0
