"""Real worker processes that work on several stages at once, over the file queue."""

import signal
import sys
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from service.assessments.result import Result
from service.assessments.states import FINAL_STATES, StageState
from service.storage.tables import AssessmentRow, StageRow, WorkerRow
from service.worker.model_adapter import open_model
from tests.waiting import wait_for

HILBERT = (sys.executable, "-m", "service.cli.app", "worker")
NAMES = tuple(f"a{number}" for number in range(1, 7))


def said(number):
    return f"I slept badly for {number} nights and then I went to the sea with my sister. ".encode() * 4


def test_assessments_that_are_encoded_at_once_share_batches_and_are_answered_as_if_alone(
    open_site, small_bundle, tmp_path
):
    site = open_site(bundle=small_bundle, concurrency=4, batch_max_delay=timedelta(seconds=0.5))
    for number, name in enumerate(NAMES, start=1):
        site.send(name, transcript=said(number))
    with site.worker(HILBERT, lambda: len(site.ask(select(AssessmentRow.state))) == len(NAMES)) as process:
        wait_for(lambda: set(site.ask(select(AssessmentRow.state))) <= set(FINAL_STATES))
        process.send_signal(signal.SIGTERM)
        assert process.wait(90) == 0
    (load,) = [line for line in site.lines("encoder load") if line["encoder"] == "text"]
    assert load["batches"] < 1 + len(NAMES)  # the golden recording is one, and each would be one at the least
    assert {line["process"] for line in site.lines("stage done")} == {"worker"}
    alone = open_model(site.settings)
    for number, name in enumerate(NAMES, start=1):
        result = Result.model_validate_json(site.objects.get(site.ask(select_key(name))[0]))
        scratch = tmp_path / name
        scratch.mkdir()
        preparation = alone.prepare(None, said(number), scratch)
        features = [alone.encode(chunk.content) for chunk in preparation.chunks]
        expected = alone.score(preparation.summary, features, "spectrum")
        assert [outcome.probability for outcome in result.probabilities] == pytest.approx(
            [outcome.probability for outcome in expected.probabilities], rel=1e-4
        )
    alone.close()


def select_key(name):
    return select(AssessmentRow.result_key).where(AssessmentRow.id == name)


@pytest.mark.parametrize(("concurrency", "broker"), [(1, "files"), (4, "files"), (4, "redis")])
def test_a_worker_completes_its_stages_before_it_stops(request, open_site, fake_worker_command, concurrency, broker):
    queue = {"broker_url": request.getfixturevalue("redis_url")} if broker == "redis" else {}
    site = open_site(concurrency=concurrency, **queue)
    for name in NAMES[:4]:
        site.send(name, audio=b"slow" + b"x" * 2000)
    several = min(concurrency, 2)
    leased = select(func.count()).where(StageRow.state == StageState.LEASED, StageRow.kind == "encode")

    def busy():
        return site.ask(leased)[0] >= several

    with site.worker(fake_worker_command, busy) as process:
        process.send_signal(signal.SIGTERM)
        assert process.wait(90) == 0
    assert site.ask(leased) == [0]
    assert site.ask(select(WorkerRow.id)) == []
    assert site.lines("stage lost") == site.lines("stage failed") == []
    assert len([line for line in site.lines("stage done") if line["stage"] == "encode"]) >= several
    assert not set(site.ask(select(AssessmentRow.state))) & set(FINAL_STATES)
