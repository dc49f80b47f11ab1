import pytest
from celery.worker import state

from service.worker.consumer import run_stages, stop_requested


def test_a_worker_runs_stages_without_messages_until_none_is_left_or_it_is_stopped():
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
def test_a_stop_is_noticed_for_every_exit_status(monkeypatch, flag):
    assert not stop_requested()
    monkeypatch.setattr(state, flag, 0)
    assert stop_requested()
