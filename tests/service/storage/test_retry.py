from datetime import timedelta

import pytest
from sqlalchemy.exc import OperationalError

from service.errors.tree import FenceLost
from service.errors.unavailable import StorageUnavailable
from service.storage import retry as retries
from service.storage.retry import RetryTerms, retry, retry_while_unavailable

LONG = timedelta(minutes=1)
GONE = OperationalError("select 1", {}, OSError("gone"))


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch):
    monkeypatch.setattr(retries, "RETRY_INTERVAL_SECONDS", 0.001)


class Flaky:
    """Raises the given errors, one after the other, then answers."""

    def __init__(self, *errors):
        self.errors = list(errors)

    def __call__(self):
        if self.errors:
            raise self.errors.pop(0)
        return "answer"


def test_unavailable_storage_is_retried_until_it_answers():
    assert retry_while_unavailable(Flaky(GONE, StorageUnavailable("full"), GONE), LONG) == "answer"


def test_the_last_error_is_raised_after_the_timeout():
    with pytest.raises(StorageUnavailable):
        retry_while_unavailable(Flaky(*[StorageUnavailable("full")] * 1000), timedelta(0))


@pytest.mark.parametrize("error", [FenceLost("lost"), ValueError("ours")])
def test_other_errors_are_not_retried(error):
    flaky = Flaky(error, error)
    with pytest.raises(type(error)):
        retry_while_unavailable(flaky, LONG)
    assert len(flaky.errors) == 1


def test_each_retry_is_reported_with_its_error():
    reported: list[Exception] = []
    terms = RetryTerms(timeout=LONG, interval=0.001)
    errors = [KeyError("a"), KeyError("b")]
    assert retry(Flaky(*errors), terms, lambda error: isinstance(error, KeyError), reported.append) == "answer"
    assert reported == errors


def test_jitter_spreads_the_pauses_around_the_interval():
    terms = RetryTerms(timeout=LONG, interval=2.0, jitter=0.5)
    pauses = [terms.pause() for _ in range(200)]
    assert all(1.0 <= pause <= 3.0 for pause in pauses)
    assert max(pauses) - min(pauses) > 0.5
