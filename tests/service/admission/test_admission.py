from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import func, select, update

from service.admission.admission import AdmissionController, AdmissionLimits, Requester, admission_limits
from service.admission.queue_position import QueuePositions
from service.assessments.states import Priority
from service.errors.unavailable import Overloaded, TooManyAssessments
from service.settings import Settings
from service.storage.database import now
from service.storage.tables import ReservationRow, StageRow

SILENCE = timedelta(seconds=30)
WIDE = AdmissionLimits(wait=timedelta(minutes=30), depth=10_000, share=0)


class Door:
    """The admission of a process that looks at the queue anew for every request."""

    def __init__(self, database, limits):
        self.database = database
        self.limits = limits

    def knock(self, caller, key=None, lane=Priority.ROUTINE):
        admission = AdmissionController(self.database, QueuePositions(self.database, SILENCE, lambda: 0.0), self.limits)
        return admission.admit(Requester(caller=caller, request_key=key), lane)

    def told(self, caller, key=None, lane=Priority.ROUTINE, kind=Overloaded):
        with pytest.raises(kind) as refusal:
            self.knock(caller, key, lane)
        return refusal.value.retry_after

    def promises(self):
        with self.database.reading() as session:
            return session.scalar(select(func.count()).select_from(ReservationRow))

    def wait(self, seconds):
        """As if so much time had passed for those who were promised a place."""
        with self.database.writing() as session:
            for row in session.scalars(select(ReservationRow)):
                row.due_at -= timedelta(seconds=seconds)
                row.expires_at -= timedelta(seconds=seconds)


@pytest.fixture
def fill(submit, measured, join_worker):
    """Ten seconds of routine work, where eight are the most."""

    def fill(database):
        join_worker(database)
        measured(database)
        for number in range(10):
            submit(database, f"a{number}", audio_key="x")
        return Door(database, replace(WIDE, wait=timedelta(seconds=8)))

    return fill


@pytest.fixture
def full(sqlite, fill):
    return fill(sqlite)


def test_an_empty_house_is_open(sqlite, caller):
    door = Door(sqlite, WIDE)
    assert door.knock(caller).promise is None
    assert door.promises() == 0


def test_the_refused_are_told_when_there_will_be_room_one_after_the_other(full, caller):
    told = [full.told(caller, f"k{number}") for number in range(5)]
    assert 3 <= told[0] <= 4
    assert 7 <= told[4] <= 9
    assert told == sorted(told)


def test_who_comes_when_told_is_let_in_though_others_wait(database, fill, caller, stranger):
    full = fill(database)
    seconds = full.told(caller, "k")
    full.wait(seconds)
    assert full.told(stranger, "new") > 0
    assert full.knock(caller, "k").promise is not None
    assert full.told(caller, "k") > 0


def test_who_comes_too_early_is_told_the_rest_and_loses_nothing(full, caller):
    for number in range(20):
        full.told(caller, f"before{number}")
    seconds = full.told(caller, "k")
    promises = full.promises()
    full.wait(10)
    assert 0 < full.told(caller, "k") <= seconds - 9
    assert full.promises() == promises


def test_requests_under_one_api_key_get_a_place_each(full, caller):
    told = [full.told(caller) for _ in range(3)]
    assert full.promises() == 3
    full.wait(told[-1])
    assert [full.knock(caller).promise is not None for _ in range(3)] == [True] * 3
    assert full.told(caller) > 0


def test_a_place_belongs_to_one_tenant(full, caller, stranger):
    full.wait(full.told(caller, "k"))
    assert full.told(stranger, "k") > 0


def test_places_that_nobody_takes_are_given_away(database, fill, caller):
    full = fill(database)
    first = full.told(caller, "k")
    full.wait(first + 61)
    assert full.told(caller, "k") <= first + 1
    assert full.promises() == 1


def test_who_comes_anew_gets_only_room_that_nobody_was_promised(sqlite, full, caller, stranger):
    for number in range(2):
        full.told(caller, f"k{number}")
    with sqlite.writing() as session:
        session.execute(update(StageRow).where(StageRow.state == "ready").values(state="done"))
    roomy = Door(sqlite, replace(full.limits, wait=timedelta(seconds=13.5)))
    assert roomy.knock(stranger, "fits").promise is None
    tight = Door(sqlite, replace(full.limits, wait=timedelta(seconds=12.5)))
    assert tight.told(stranger, "does not") >= 1


def test_a_submission_that_comes_to_nothing_keeps_its_place(sqlite, full, caller):
    full.wait(full.told(caller, "k"))
    admission = AdmissionController(sqlite, QueuePositions(sqlite, SILENCE, lambda: 0.0), full.limits)
    requester = Requester(caller=caller, request_key="k")
    admission.release(requester, admission.admit(requester, Priority.ROUTINE), accepted=False)
    admission.release(requester, admission.admit(requester, Priority.ROUTINE), accepted=True)
    with pytest.raises(Overloaded):
        admission.admit(requester, Priority.ROUTINE)


def test_submissions_still_on_their_way_take_room(sqlite, measured, join_worker, caller):
    join_worker(sqlite)
    measured(sqlite)
    admission = AdmissionController(sqlite, QueuePositions(sqlite, SILENCE, lambda: 0.0), replace(WIDE, depth=2))
    first = admission.admit(Requester(caller=caller), Priority.ROUTINE)
    admission.admit(Requester(caller=caller), Priority.ROUTINE)
    with pytest.raises(Overloaded):
        admission.admit(Requester(caller=caller, request_key="k"), Priority.ROUTINE)
    admission.release(Requester(caller=caller), first, accepted=False)
    admission.release(Requester(caller=caller), first, accepted=False)


def test_a_lane_holds_so_many_and_no_more(sqlite, submit, caller):
    submit(sqlite, "r", audio_key="x")
    submit(sqlite, "b", priority=Priority.BATCH, audio_key="x")
    door = Door(sqlite, replace(WIDE, depth=1))
    assert door.told(caller) >= 1
    assert door.told(caller, lane=Priority.BATCH) >= 1


def test_a_long_wait_of_routine_keeps_no_batch_out(full, caller):
    assert full.knock(caller, lane=Priority.BATCH).promise is None


def test_a_tenant_has_its_share_and_the_others_have_theirs(database, submit, measured, join_worker, caller, stranger):
    join_worker(database)
    measured(database)
    for number in range(3):
        submit(database, f"a{number}", audio_key="x")
    submit(database, "b", priority=Priority.BATCH, audio_key="x")
    door = Door(database, replace(WIDE, share=3))
    first, _, third = (door.told(caller, key, kind=TooManyAssessments) for key in ("k1", "k2", "k3"))
    assert 2 <= first < third <= 6
    assert door.knock(stranger).promise is None
    door.wait(first)
    assert door.knock(caller, "k1").promise is not None


def test_when_nobody_works_no_place_is_promised(sqlite, submit, measured, caller):
    measured(sqlite, ended_ago=timedelta(minutes=10))
    submit(sqlite, "a")
    with sqlite.writing() as session:
        waiting_since = {"created_at": now() - timedelta(minutes=3)}
        session.execute(update(StageRow).where(StageRow.assessment_id == "a").values(**waiting_since))
    door = Door(sqlite, WIDE)
    assert door.told(caller, "k") >= 60
    assert door.promises() == 0


def test_nothing_is_promised_for_a_day_that_is_far(sqlite, full, caller):
    slow = Door(sqlite, replace(full.limits, wait=timedelta(seconds=1)))
    with sqlite.writing() as session:
        session.execute(
            update(StageRow).where(StageRow.id == "measured-encode").values(claimed_at=now() - timedelta(hours=1))
        )
    assert slow.told(caller, "k") >= 3600
    assert slow.promises() == 0


def test_the_bounds_follow_the_settings():
    settings = Settings(max_queue_wait=timedelta(minutes=5), max_queue_depth=7, tenant_max_pending=3)
    assert admission_limits(settings) == AdmissionLimits(wait=timedelta(minutes=5), depth=7, share=3)


def test_what_a_client_calls_itself_is_not_kept(full, caller, sqlite):
    full.told(caller, "Ada Lovelace")
    with sqlite.reading() as session:
        assert "Ada" not in session.scalars(select(ReservationRow.identity)).one()
