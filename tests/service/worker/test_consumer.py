import pytest
from celery.worker import state

from service.worker.consumer import run_stages, stop_requested


def test_a_worker_goes_on_without_waiting_for_messages_until_nothing_is_left_or_it_is_told_to_stop():
    left = ["a1", "a1", "a2"]
    asked = []

    def run(stage_id, after):
        asked.append(after)
        return left.pop(0) if left else None

    run_stages(run, "s1", stopping=lambda: False)
    assert asked == [None, "a1", "a1", "a2"]
    left[:] = ["a1", "a1"]
    run_stages(run, "s1", stopping=lambda: True)
    assert left == ["a1"]


@pytest.mark.parametrize("flag", ["should_stop", "should_terminate"])
def test_a_signal_is_noticed_whatever_the_exit_status_it_asks_for(monkeypatch, flag):
    assert not stop_requested()
    monkeypatch.setattr(state, flag, 0)
    assert stop_requested()
