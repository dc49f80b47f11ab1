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

WORKER_TIMEOUT = timedelta(seconds=30)
WIDE = AdmissionLimits(max_wait=timedelta(minutes=30), max_depth=10_000, tenant_share=0)


def unaged(database):
    """Queue positions whose clock stands, so that a slow machine does not count as waiting."""
    return QueuePositions(database, WORKER_TIMEOUT, lambda: 0.0)


class Client:
    """A client of a process that reads a new snapshot for every request."""

    def __init__(self, database, limits):
        self.database = database
        self.limits = limits

    def submit(self, caller, key=None, lane=Priority.ROUTINE):
        admission = AdmissionController(
            self.database, QueuePositions(self.database, WORKER_TIMEOUT, lambda: 0.0), self.limits
        )
        return admission.admit(Requester(caller=caller, request_key=key), lane)

    def refused(self, caller, key=None, lane=Priority.ROUTINE, kind=Overloaded):
        with pytest.raises(kind) as refusal:
            self.submit(caller, key, lane)
        return refusal.value.retry_after

    def reservations(self):
        with self.database.reading() as session:
            return session.scalar(select(func.count()).select_from(ReservationRow))

    def wait(self, seconds):
        """Make reservations older, as if this much time had passed."""
        with self.database.writing() as session:
            for row in session.scalars(select(ReservationRow)):
                row.due_at -= timedelta(seconds=seconds)
                row.expires_at -= timedelta(seconds=seconds)


@pytest.fixture
def fill(submit, measured, join_worker):
    """A queue of ten seconds of routine work, where eight seconds are the limit."""

    def fill(database):
        join_worker(database)
        measured(database)
        for number in range(10):
            submit(database, f"a{number}", audio_key="x")
        return Client(database, replace(WIDE, max_wait=timedelta(seconds=8)))

    return fill


@pytest.fixture
def full(sqlite, fill):
    return fill(sqlite)


def test_admission_accepts_everything_while_no_job_is_queued(sqlite, caller):
    client = Client(sqlite, WIDE)
    assert client.submit(caller).reservation is None
    assert client.reservations() == 0


def test_refused_clients_get_reservations_spaced_by_the_throughput(full, caller):
    delays = [full.refused(caller, f"k{number}") for number in range(5)]
    assert 3 <= delays[0] <= 4
    assert 7 <= delays[4] <= 9
    assert delays == sorted(delays)


def test_a_reservation_that_is_due_is_redeemed_while_others_are_refused(database, fill, caller, stranger):
    full = fill(database)
    seconds = full.refused(caller, "k")
    full.wait(seconds)
    assert full.refused(stranger, "new") > 0
    assert full.submit(caller, "k").reservation is not None
    assert full.refused(caller, "k") > 0


def test_a_client_that_comes_too_early_keeps_its_reservation(full, caller):
    for number in range(20):
        full.refused(caller, f"before{number}")
    seconds = full.refused(caller, "k")
    reservations = full.reservations()
    full.wait(10)
    assert 0 < full.refused(caller, "k") <= seconds - 9
    assert full.reservations() == reservations


def test_requests_without_a_key_of_their_own_get_a_reservation_each(full, caller):
    delays = [full.refused(caller) for _ in range(3)]
    assert full.reservations() == 3
    full.wait(delays[-1])
    assert [full.submit(caller).reservation is not None for _ in range(3)] == [True] * 3
    assert full.refused(caller) > 0


def test_a_reservation_belongs_to_one_tenant(full, caller, stranger):
    full.wait(full.refused(caller, "k"))
    assert full.refused(stranger, "k") > 0


def test_an_unused_reservation_expires(database, fill, caller):
    full = fill(database)
    first = full.refused(caller, "k")
    full.wait(first + 61)
    assert full.refused(caller, "k") <= first + 1
    assert full.reservations() == 1


def test_new_clients_get_only_capacity_that_is_not_reserved(sqlite, full, caller, stranger):
    for number in range(2):
        full.refused(caller, f"k{number}")
    with sqlite.writing() as session:
        session.execute(update(StageRow).where(StageRow.state == "ready").values(state="done"))
    roomy = Client(sqlite, replace(full.limits, max_wait=timedelta(seconds=13.5)))
    assert roomy.submit(stranger, "fits").reservation is None
    tight = Client(sqlite, replace(full.limits, max_wait=timedelta(seconds=12.5)))
    assert tight.refused(stranger, "does not") >= 1


def test_a_submission_that_is_not_accepted_restores_its_reservation(sqlite, full, caller):
    full.wait(full.refused(caller, "k"))
    admission = AdmissionController(sqlite, unaged(sqlite), full.limits)
    requester = Requester(caller=caller, request_key="k")
    admission.release(requester, admission.admit(requester, Priority.ROUTINE), accepted=False)
    admission.release(requester, admission.admit(requester, Priority.ROUTINE), accepted=True)
    with pytest.raises(Overloaded):
        admission.admit(requester, Priority.ROUTINE)


def test_submissions_in_progress_take_capacity(sqlite, measured, join_worker, caller):
    join_worker(sqlite)
    measured(sqlite)
    admission = AdmissionController(sqlite, unaged(sqlite), replace(WIDE, max_depth=2))
    first = admission.admit(Requester(caller=caller), Priority.ROUTINE)
    admission.admit(Requester(caller=caller), Priority.ROUTINE)
    with pytest.raises(Overloaded):
        admission.admit(Requester(caller=caller, request_key="k"), Priority.ROUTINE)
    admission.release(Requester(caller=caller), first, accepted=False)
    admission.release(Requester(caller=caller), first, accepted=False)


def test_a_full_lane_refuses_submissions(sqlite, submit, caller):
    submit(sqlite, "r", audio_key="x")
    submit(sqlite, "b", priority=Priority.BATCH, audio_key="x")
    client = Client(sqlite, replace(WIDE, max_depth=1))
    assert client.refused(caller) >= 1
    assert client.refused(caller, lane=Priority.BATCH) >= 1


def test_a_long_routine_queue_does_not_refuse_batch_submissions(full, caller):
    assert full.submit(caller, lane=Priority.BATCH).reservation is None


def test_a_tenant_at_its_share_is_refused_and_others_are_not(database, submit, measured, join_worker, caller, stranger):
    join_worker(database)
    measured(database)
    for number in range(3):
        submit(database, f"a{number}", audio_key="x")
    submit(database, "b", priority=Priority.BATCH, audio_key="x")
    client = Client(database, replace(WIDE, tenant_share=3))
    first, _, third = (client.refused(caller, key, kind=TooManyAssessments) for key in ("k1", "k2", "k3"))
    assert 2 <= first < third <= 6
    assert client.submit(stranger).reservation is None
    client.wait(first)
    assert client.submit(caller, "k1").reservation is not None


def test_no_reservation_is_made_while_no_worker_makes_progress(sqlite, submit, measured, caller):
    measured(sqlite, ended_ago=timedelta(minutes=10))
    submit(sqlite, "a")
    with sqlite.writing() as session:
        waiting_since = {"created_at": now() - timedelta(minutes=3)}
        session.execute(update(StageRow).where(StageRow.assessment_id == "a").values(**waiting_since))
    client = Client(sqlite, WIDE)
    assert client.refused(caller, "k") >= 60
    assert client.reservations() == 0


def test_no_reservation_is_made_beyond_the_longest_delay(sqlite, full, caller):
    slow = Client(sqlite, replace(full.limits, max_wait=timedelta(seconds=1)))
    with sqlite.writing() as session:
        session.execute(
            update(StageRow).where(StageRow.id == "measured-encode").values(claimed_at=now() - timedelta(hours=1))
        )
    assert slow.refused(caller, "k") >= 3600
    assert slow.reservations() == 0


def test_the_limits_follow_the_settings():
    settings = Settings(max_queue_wait=timedelta(minutes=5), max_queue_depth=7, tenant_max_pending=3)
    assert admission_limits(settings) == AdmissionLimits(max_wait=timedelta(minutes=5), max_depth=7, tenant_share=3)


def test_the_request_key_is_not_stored(full, caller, sqlite):
    full.refused(caller, "Ada Lovelace")
    with sqlite.reading() as session:
        assert "Ada" not in session.scalars(select(ReservationRow.identity)).one()
