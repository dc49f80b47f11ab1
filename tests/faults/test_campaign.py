"""One site, its servers taken away on purpose; then a campaign small enough for every run of the tests."""

from typing import Any

import httpx
import pytest
from sqlalchemy import delete, select, update

from service.assessments.stages import new_stage
from service.assessments.states import StageKind
from service.storage.database import now
from service.storage.tables import AssessmentRow, StageRow
from tests.faults.accounting import account_for, wait_until_settled
from tests.faults.campaign import Plan, run_campaign
from tests.faults.load import Clients, material
from tests.faults.run import passed
from tests.faults.site import open_site
from tests.waiting import wait_for

FAULTS = (
    "worker killed",
    "API killed",
    "deliverer killed",
    "Redis killed and restarted",
    "Redis flushed",
    "PostgreSQL restarted",
    "messages doubled",
)
SETTINGS: dict[str, Any] = {
    "worker_timeout": "5",
    "worker_heartbeat_interval": "1",
    "webhook_allow_http": "true",
    "webhook_networks": '["127.0.0.0/8"]',
    "webhook_retries": "[1, 1, 2, 4, 8, 16]",
}


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    with open_site(tmp_path_factory.mktemp("faults") / "site", **SETTINGS) as site:
        yield site


@pytest.fixture
def http(site):
    headers = {"Authorization": f"Bearer {site.key}"}
    with httpx.Client(base_url=site.url, headers=headers, timeout=30, trust_env=False) as http:
        yield http


def submit(http, number):
    return http.post("/v1/assessments", files={"audio": material(number)})


def state(http, location):
    return http.get(location).json().get("state")


def test_without_redis_reads_work_and_submissions_are_kept(site, http):
    ended = submit(http, 1).headers["location"]
    wait_for(lambda: state(http, ended) == "succeeded")
    site.redis.end(killed=True)
    try:
        assert http.get(ended).status_code == http.get("/v1/assessments").status_code == 200
        kept = submit(http, 2)
        assert kept.status_code == 202
        assert http.get("/readyz").status_code == 200
        assert http.get("/healthz").status_code == 503
    finally:
        site.redis.start()
    wait_for(lambda: state(http, kept.headers["location"]) == "succeeded")


def test_without_postgresql_the_answer_is_503_and_nothing_is_half_written(site, http):
    before = set(site.objects.list("assessments"))
    site.postgresql.end()
    try:
        answers = [submit(http, 3), http.get("/v1/assessments"), http.post("/v1/uploads")]
        assert [answer.status_code for answer in answers] == [503] * 3
        assert {answer.json()["code"] for answer in answers} == {"database_unavailable"}
        assert all(int(answer.headers["retry-after"]) > 0 for answer in answers)
    finally:
        site.postgresql.start()
    assert set(site.objects.list("assessments")) == before
    again = wait_for(lambda: (answer := submit(http, 3)).status_code == 202 and answer)
    wait_for(lambda: state(http, again.headers["location"]) == "succeeded")


def test_the_accounting_notices_what_is_lost_stuck_wrong_or_doubled(site):
    since = now()
    clients = Clients(site.url, site.key)
    clients.send(range(1001, 1005))
    wait_until_settled(site)
    assert not any(account_for(site, clients.accepted, None, since).faults().values())
    lost, stuck, wrong, doubled = (accepted.id for accepted in clients.accepted)
    with site.database.writing() as session:
        session.execute(delete(AssessmentRow).where(AssessmentRow.id == lost))
        session.execute(update(AssessmentRow).where(AssessmentRow.id == stuck).values(state="encoding"))
        session.execute(update(AssessmentRow).where(AssessmentRow.id == wrong).values(segments_done=1))
        (score,) = session.scalars(
            select(StageRow).where(StageRow.assessment_id == doubled, StageRow.kind == StageKind.SCORE)
        )
        session.add(new_stage(doubled, StageKind.SCORE, 1))
        session.execute(update(StageRow).where(StageRow.index == 1, StageRow.kind == score.kind).values(state="done"))
    account = account_for(site, clients.accepted, None, since)
    assert (account.lost, account.stuck, account.wrong, account.doubled) == ([lost], [stuck], [wrong], [doubled])
    with site.database.writing() as session:
        session.execute(delete(AssessmentRow).where(AssessmentRow.id.in_([stuck])))


@pytest.mark.timeout(240)
def test_every_202_gets_one_final_answer_under_faults(site):
    plan = Plan(assessments=40, a_second=4, faults=FAULTS, seed=11, pause=(0.2, 0.8))
    outcome = run_campaign(site, plan)
    assert outcome.account.faults() == dict.fromkeys(outcome.account.faults(), 0), outcome.account
    assert passed(outcome)
    assert outcome.account.accepted == plan.assessments
    assert set(outcome.struck) == set(FAULTS)
