import pytest
from celery.worker import state

from service.worker.consumer import asked_to_stop, go_on


def test_a_worker_goes_on_without_waiting_for_messages_until_nothing_is_left_or_it_is_told_to_stop():
    left = ["a1", "a1", "a2"]
    asked = []

    def run(stage_id, after):
        asked.append(after)
        return left.pop(0) if left else None

    go_on(run, "s1", stopping=lambda: False)
    assert asked == [None, "a1", "a1", "a2"]
    left[:] = ["a1", "a1"]
    go_on(run, "s1", stopping=lambda: True)
    assert left == ["a1"]


@pytest.mark.parametrize("flag", ["should_stop", "should_terminate"])
def test_a_signal_is_noticed_whatever_the_exit_status_it_asks_for(monkeypatch, flag):
    assert not asked_to_stop()
    monkeypatch.setattr(state, flag, 0)
    assert asked_to_stop()
