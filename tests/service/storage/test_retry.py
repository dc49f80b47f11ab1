from datetime import timedelta

import pytest
from sqlalchemy.exc import OperationalError

from service.errors.tree import FenceLost
from service.errors.unavailable import StorageUnavailable
from service.storage import retry
from service.storage.retry import retry_while_unavailable

LONG = timedelta(minutes=1)
GONE = OperationalError("select 1", {}, OSError("gone"))


@pytest.fixture(autouse=True)
def _impatient(monkeypatch):
    monkeypatch.setattr(retry, "RETRY_INTERVAL_SECONDS", 0.001)


class Flaky:
    """Raises what it was given, one after the other, then answers."""

    def __init__(self, *errors):
        self.errors = list(errors)

    def __call__(self):
        if self.errors:
            raise self.errors.pop(0)
        return "answer"


def test_what_comes_back_is_waited_for():
    assert retry_while_unavailable(Flaky(GONE, StorageUnavailable("full"), GONE), LONG) == "answer"


def test_patience_ends():
    with pytest.raises(StorageUnavailable):
        retry_while_unavailable(Flaky(*[StorageUnavailable("full")] * 1000), timedelta(0))


@pytest.mark.parametrize("error", [FenceLost("lost"), ValueError("ours")])
def test_other_errors_are_not_waited_out(error):
    flaky = Flaky(error, error)
    with pytest.raises(type(error)):
        retry_while_unavailable(flaky, LONG)
    assert len(flaky.errors) == 1
