import json
from datetime import timedelta
from typing import cast

import pytest
from sqlalchemy import func, select, update

from service.assessments.lifecycle import finish
from service.assessments.repository import AssessmentRepository
from service.assessments.stages import StageRepository
from service.assessments.states import INTERNAL_FAILURE, BatchPosition, NewAssessment, Priority, State
from service.batches import lifecycle
from service.batches.lifecycle import advance_batches, cancel_lines, erase_batch, invalidate_files
from service.batches.output import error_lines, result_lines, stream_file, stream_lines
from service.batches.repository import BatchRepository
from service.batches.states import BatchState
from service.errors.not_found import BatchNotFound
from service.errors.tree import FenceLost
from service.storage.database import now
from service.storage.objects import ObjectStore, material_prefix, result_prefix
from service.storage.tables import AssessmentRow, BatchRow, StageRow

AT_ONCE = timedelta(0)
LONG = timedelta(minutes=1)


@pytest.fixture
def batch(caller):
    """A batch `b1` of so many lines, `a1` and on."""

    def batch(database, lines=3, batch_id="b1", prefix="a"):
        orders = [
            NewAssessment(
                id=f"{prefix}{number}",
                task="spectrum",
                reference=None,
                priority=Priority.BATCH,
                bundle="rehearsal",
                request_id="r1",
                audio_key=f"{material_prefix(f'{prefix}{number}')}/audio",
                transcript_key=None,
                batch_position=BatchPosition(batch_id=batch_id, line=number, custom_id=f"visit-{number}"),
            )
            for number in range(1, lines + 1)
        ]
        with database.writing() as session:
            return BatchRepository(session, caller).add(batch_id, "r1", orders)

    return batch


@pytest.fixture
def small_steps(monkeypatch):
    """Two lines a step, so that a few lines take several."""
    monkeypatch.setattr(lifecycle, "LINES_PER_PART", 2)
    monkeypatch.setattr(lifecycle, "LINES_PER_TRANSACTION", 2)


@pytest.fixture
def finish_line(objects):
    def finish_line(database, assessment_id, state=State.SUCCEEDED):
        with database.writing() as session:
            row = session.get(AssessmentRow, assessment_id)
            if state in (State.SUCCEEDED, State.ABSTAINED):
                content = json.dumps({"of": assessment_id}).encode()
                row.result_key = objects.put(result_prefix(assessment_id), content)
            finish(session, row, state, INTERNAL_FAILURE if state == State.FAILED else None)

    return finish_line


def look(database, caller, batch_id="b1"):
    with database.reading() as session:
        return BatchRepository(session, caller).get(batch_id)


def rows(objects, key):
    return [json.loads(line) for line in b"".join(stream_file(objects, key)).splitlines()]


def everything(database, objects):
    return (
        [json.loads(line) for line in b"".join(stream_lines(result_lines, database, objects, "b1", 9)).splitlines()],
        [json.loads(line) for line in b"".join(stream_lines(error_lines, database, objects, "b1", 9)).splitlines()],
    )


def test_a_batch_ends_with_its_last_line_and_not_before(database, objects, batch, finish_line, caller):
    batch(database, 4)
    finish_line(database, "a1")
    finish_line(database, "a3", State.ABSTAINED)
    finish_line(database, "a4", State.FAILED)
    advance_batches(database, objects)
    assert look(database, caller).state == BatchState.RUNNING
    finish_line(database, "a2")
    so_far = everything(database, objects)
    advance_batches(database, objects)
    ended = look(database, caller)
    assert ended.state == BatchState.FINISHED
    assert ended.finished_at is not None
    output, errors = rows(objects, ended.output_key), rows(objects, ended.errors_key)
    assert (output, errors) == so_far
    assert [(line["line"], line["custom_id"], line["state"]) for line in output] == [
        (1, "visit-1", "succeeded"),
        (2, "visit-2", "succeeded"),
        (3, "visit-3", "abstained"),
    ]
    assert output[0]["assessment"] == "a1"
    assert output[0]["result"] == {"of": "a1"}
    assert [(line["line"], line["error"]["code"]) for line in errors] == [(4, "internal_error")]
    advance_batches(database, objects)
    assert look(database, caller) == ended


def test_results_are_there_while_the_batch_runs(sqlite, objects, batch, finish_line):
    batch(sqlite, 3)
    finish_line(sqlite, "a2")
    output, errors = everything(sqlite, objects)
    assert [line["line"] for line in output] == [2]
    assert errors == []


def test_lines_are_taken_up_in_their_order(database, batch):
    batch(database, 600)
    with database.reading() as session:
        query = select(AssessmentRow.batch_line).order_by(AssessmentRow.created_at, AssessmentRow.id)
        assert list(session.scalars(query)) == list(range(1, 601))


class Killed(Exception):
    pass


class DyingStore:
    """An object store of a process that is killed at its n-th write, before or after it."""

    def __init__(self, objects, writes, *, after):
        self._objects, self._writes, self._after = objects, writes, after

    def write(self, key, content):
        self._writes -= 1
        if self._writes == 0 and not self._after:
            raise Killed
        self._objects.write(key, content)
        if self._writes == 0:
            raise Killed

    def __getattr__(self, name):
        return getattr(self._objects, name)


@pytest.mark.usefixtures("small_steps")
@pytest.mark.parametrize("death", [(write, after) for write in (1, 2, 3, 4) for after in (False, True)])
def test_a_sweep_completes_a_batch_whose_files_were_written_before_a_crash(
    sqlite, objects, batch, finish_line, caller, death
):
    writes, after = death
    batch(sqlite, 3)
    for number, state in enumerate((State.SUCCEEDED, State.FAILED, State.SUCCEEDED), start=1):
        finish_line(sqlite, f"a{number}", state)
    with pytest.raises(Killed):
        advance_batches(sqlite, cast(ObjectStore, DyingStore(objects, writes, after=after)))
    assert look(sqlite, caller).state == BatchState.RUNNING
    advance_batches(sqlite, objects)
    ended = look(sqlite, caller)
    assert ended.state == BatchState.FINISHED
    assert (rows(objects, ended.output_key), rows(objects, ended.errors_key)) == everything(sqlite, objects)
    assert len(objects.list("batches/b1/")) == 4


@pytest.mark.usefixtures("small_steps")
def test_files_are_written_over_several_turns_when_one_is_too_short(sqlite, objects, batch, finish_line, caller):
    batch(sqlite, 3)
    for number in (1, 2, 3):
        finish_line(sqlite, f"a{number}")
    advance_batches(sqlite, objects, AT_ONCE)
    assert look(sqlite, caller).state == BatchState.RUNNING
    advance_batches(sqlite, objects, LONG)
    assert [line["line"] for line in rows(objects, look(sqlite, caller).output_key)] == [1, 2, 3]


def test_cancelling_keeps_what_is_there_and_stops_the_workers(database, objects, batch, finish_line, caller):
    batch(database, 4)
    finish_line(database, "a1")
    finish_line(database, "a2", State.FAILED)
    with database.writing() as session:
        stage = session.scalars(select(StageRow.id).where(StageRow.assessment_id == "a3")).one()
        claim = StageRepository(session, "w1").claim(stage, timedelta(seconds=60), 5)
    with database.writing() as session:
        assert BatchRepository(session, caller).begin_cancelling("b1")
    advance_batches(database, objects)
    ended = look(database, caller)
    assert ended.state == BatchState.CANCELLED
    assert [line["line"] for line in rows(objects, ended.output_key)] == [1]
    assert [(line["line"], line["error"]["code"]) for line in rows(objects, ended.errors_key)] == [
        (2, "internal_error"),
        (3, "cancelled"),
        (4, "cancelled"),
    ]
    with database.writing() as session:
        workers = StageRepository(session, "w1")
        assert not workers.renew(claim, timedelta(seconds=60))
        with pytest.raises(FenceLost):
            workers.complete_prepare(claim, "k", [], seconds=1.0)
        assert not BatchRepository(session, caller).begin_cancelling("b1")


@pytest.mark.usefixtures("small_steps")
def test_a_cancel_that_was_cut_off_is_completed_by_the_sweeper(sqlite, objects, batch, caller):
    batch(sqlite, 5)
    with sqlite.writing() as session:
        BatchRepository(session, caller).begin_cancelling("b1")
    assert not cancel_lines(sqlite, "b1", AT_ONCE)
    with sqlite.reading() as session:
        batches = BatchRepository(session, caller)
        assert batches.get("b1").state == BatchState.CANCELLING
        counts = batches.counts(batches.get("b1"))
    assert (counts.cancelled, counts.queued, counts.unfinished, counts.total) == (2, 3, 3, 5)
    advance_batches(sqlite, objects, LONG)
    assert look(sqlite, caller).state == BatchState.CANCELLED


def test_erasing_a_line_by_itself_takes_its_answer_out_of_the_files(database, objects, batch, finish_line, caller):
    batch(database, 2)
    finish_line(database, "a1")
    finish_line(database, "a2")
    advance_batches(database, objects)
    with database.writing() as session:
        AssessmentRepository(session, caller).erase("a1")
    invalidate_files(database, objects, "b1")
    assert objects.list("batches/b1/") == []
    assert look(database, caller).output_key is None
    assert look(database, caller).state == BatchState.FINISHED
    advance_batches(database, objects)
    assert [line["line"] for line in rows(objects, look(database, caller).output_key)] == [2]


def test_files_written_while_a_line_was_erased_do_not_survive(sqlite, objects, batch, finish_line, caller):
    batch(sqlite, 1)
    finish_line(sqlite, "a1")

    class Slow(DyingStore):
        def write(self, key, content):
            self._objects.write(key, content)
            if "/errors/" in key:
                with sqlite.writing() as session:
                    AssessmentRepository(session, caller).erase("a1")
                invalidate_files(sqlite, objects, "b1")
                self._objects.write(key, content)

    advance_batches(sqlite, cast(ObjectStore, Slow(objects, 0, after=False)))
    assert look(sqlite, caller).state == BatchState.RUNNING
    assert objects.list("batches/") == []
    advance_batches(sqlite, objects)
    assert rows(objects, look(sqlite, caller).output_key) == []


@pytest.mark.usefixtures("small_steps")
def test_an_interrupted_erasure_continues_and_hides_the_batch_at_once(sqlite, objects, batch, finish_line, caller):
    batch(sqlite, 5)
    batch(sqlite, 1, "b2", "other")
    for number in range(1, 6):
        finish_line(sqlite, f"a{number}")
    advance_batches(sqlite, objects)
    with sqlite.writing() as session:
        BatchRepository(session, caller).begin_erasing("b1")
    assert not erase_batch(sqlite, objects, "b1", AT_ONCE)
    with pytest.raises(BatchNotFound):
        look(sqlite, caller)
    advance_batches(sqlite, objects, LONG)
    with sqlite.reading() as session:
        assert list(session.scalars(select(BatchRow.id))) == ["b2"]
        assert list(session.scalars(select(AssessmentRow.id))) == ["other1"]
        assert session.scalar(select(func.count()).select_from(StageRow)) == 1
    assert objects.list("") == []


def test_a_running_batch_cannot_be_erased(sqlite, batch, caller):
    batch(sqlite)
    with sqlite.writing() as session:
        BatchRepository(session, caller).begin_erasing("b1")
    assert look(sqlite, caller).state == BatchState.RUNNING


def test_the_time_left_follows_the_pace_of_the_lines(database, batch, caller):
    batch(database, 300)
    moment = now()

    def ended(count, ago):
        with database.writing() as session:
            ids = [f"a{number}" for number in range(1, count + 1)]
            session.execute(update(AssessmentRow).where(AssessmentRow.id.in_(ids)).values(state=State.SUCCEEDED))
            for number in range(1, count + 1):
                at = moment - timedelta(seconds=ago * (count - number + 1) / count)
                session.execute(update(AssessmentRow).where(AssessmentRow.id == f"a{number}").values(finished_at=at))

    def left():
        with database.reading() as session:
            batches = BatchRepository(session, caller)
            return batches.eta_seconds(found := batches.get("b1"), batches.counts(found))

    assert left() is None
    ended(4, 8)
    assert left() is None
    ended(200, 400)  # 200 lines in 400 s: two seconds a line
    assert left() == pytest.approx(100 * 2, rel=0.03)
    ended(300, 600)
    assert left() == 0
