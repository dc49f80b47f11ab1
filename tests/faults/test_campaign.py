"""A campaign small enough for every run of the tests; `make faults` runs one in full."""

import pytest

from tests.faults.campaign import Plan, run_campaign
from tests.faults.run import passed
from tests.faults.site import open_site

FAULTS = (
    "worker killed",
    "API killed",
    "deliverer killed",
    "Redis killed and restarted",
    "Redis flushed",
    "PostgreSQL restarted",
    "messages doubled",
)


@pytest.mark.timeout(240)
def test_every_202_gets_one_answer_whatever_dies(tmp_path):
    settings = {"silence": "5", "presence": "1", "webhook_allow_http": "true", "webhook_networks": '["127.0.0.0/8"]'}
    plan = Plan(assessments=40, a_second=4, faults=FAULTS, seed=11, pause=(0.2, 0.8))
    with open_site(tmp_path / "site", webhook_retries="[1, 1, 2, 4, 8, 16]", **settings) as site:
        outcome = run_campaign(site, plan)
    assert outcome.account.faults() == dict.fromkeys(outcome.account.faults(), 0), outcome.account
    assert passed(outcome)
    assert outcome.account.accepted == plan.assessments
    assert set(outcome.struck) == set(FAULTS)
