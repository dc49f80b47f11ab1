from datetime import timedelta

import pytest
from sqlalchemy import select

from service.errors.request import IdempotencyInFlight
from service.idempotency import (
    CompletedRequest,
    KeyLease,
    StoredResponse,
    acquire_key,
    complete_key,
    delete_expired_keys,
    is_same_route,
    release_key,
    renew_key,
)
from service.storage.tables import IdempotencyRow

LEASE = timedelta(seconds=30)
OVER = timedelta(seconds=-1)
ANSWER = StoredResponse(status=202, location="/v1/assessments/a1", body='{"id": "a1"}')
ROUTE = "POST /v1/assessments"


def lease_key(database, caller, lease=LEASE):
    acquired = acquire_key(database, caller, "k", ROUTE, lease)
    assert isinstance(acquired, KeyLease)
    return acquired


def answer(database, hold, digest="d1"):
    with database.writing() as session:
        complete_key(session, hold, digest, ANSWER)


def rows(database):
    with database.reading() as session:
        return len(session.scalars(select(IdempotencyRow)).all())


def test_an_answered_key_repeats_its_answer(database, caller):
    answer(database, acquire_key(database, caller, "k", ROUTE, LEASE))
    earlier = acquire_key(database, caller, "k", ROUTE, LEASE)
    assert earlier == CompletedRequest(route=ROUTE, digest="d1", response=ANSWER)


def test_a_key_at_work_is_refused(database, caller):
    acquire_key(database, caller, "k", ROUTE, LEASE)
    with pytest.raises(IdempotencyInFlight):
        acquire_key(database, caller, "k", ROUTE, LEASE)


def test_each_tenant_has_keys_of_its_own(database, caller, stranger):
    answer(database, acquire_key(database, caller, "k", ROUTE, LEASE))
    assert isinstance(acquire_key(database, stranger, "k", ROUTE, LEASE), KeyLease)


def test_a_key_whose_request_died_goes_to_the_next_one(database, caller):
    dead = lease_key(database, caller, OVER)
    assert isinstance(acquire_key(database, caller, "k", ROUTE, LEASE), KeyLease)
    assert renew_key(database, dead, LEASE) is False
    with pytest.raises(IdempotencyInFlight):
        answer(database, dead)
    release_key(database, dead)
    assert rows(database) == 1


def test_a_renewed_key_stays_with_its_request(database, caller):
    hold = lease_key(database, caller, OVER)
    assert renew_key(database, hold, LEASE)
    with pytest.raises(IdempotencyInFlight):
        acquire_key(database, caller, "k", ROUTE, LEASE)


def test_a_freed_key_is_as_new_and_an_answered_one_is_not_freed(database, caller):
    release_key(database, lease_key(database, caller))
    assert rows(database) == 0
    hold = lease_key(database, caller)
    answer(database, hold)
    release_key(database, hold)
    assert rows(database) == 1


def test_what_fails_with_its_transaction_answers_nothing(database, caller):
    hold = lease_key(database, caller)

    def fail():
        with database.writing() as session:
            complete_key(session, hold, "d1", ANSWER)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert renew_key(database, hold, LEASE)


def test_old_keys_are_forgotten_but_not_those_at_work(database, caller):
    answer(database, acquire_key(database, caller, "answered", ROUTE, LEASE))
    acquire_key(database, caller, "dead", ROUTE, OVER)
    acquire_key(database, caller, "at work", ROUTE, LEASE)
    assert delete_expired_keys(database, timedelta(hours=1)) == 0
    assert delete_expired_keys(database, timedelta(0)) == 2
    assert rows(database) == 1


def test_a_route_of_any_length_is_known_again(database, caller):
    long = "POST /v1/webhooks/" + "x" * 1_000
    answer(database, acquire_key(database, caller, "k", long, LEASE))
    earlier = acquire_key(database, caller, "k", long, LEASE)
    assert isinstance(earlier, CompletedRequest)
    assert is_same_route(earlier, long)
    assert not is_same_route(earlier, long + "y")
