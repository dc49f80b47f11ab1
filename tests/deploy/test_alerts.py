"""Alerts, their runbooks and their tests. That the tests pass is seen by `make alerts`, which needs Docker."""

import pytest

from tests.deploy.monitoring import ROOT, RULE_TESTS, RUNBOOKS, alerts, read, rules

ALERTS = alerts()
EXPECTED = [
    (path.stem, expected)
    for path in RULE_TESTS
    for test in read(path)["tests"]
    for expected in test.get("alert_rule_test", [])
]
FIRED = {test["alertname"] for _, test in EXPECTED if test["exp_alerts"]}
SILENT_WHEN_HEALTHY = {test["alertname"] for name, test in EXPECTED if name == "healthy" and not test["exp_alerts"]}


def test_no_name_is_used_twice():
    assert len(ALERTS) == sum("alert" in rule for rule in rules())


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_says_how_urgent_it_is_what_happens_and_where_to_read_on(name):
    alert = ALERTS[name]
    assert alert["labels"]["severity"] in {"critical", "warning", "info"}
    assert set(alert["annotations"]) == {"summary", "description", "runbook_url"}
    assert alert["annotations"]["runbook_url"] == f"{{{{ $externalLabels.runbooks }}}}/{name}.md"
    assert "for" in alert


def test_each_alert_has_a_runbook_and_each_runbook_an_alert():
    assert {page.stem for page in RUNBOOKS.glob("*.md")} - {"README"} == set(ALERTS)


@pytest.mark.parametrize("name", ALERTS)
def test_a_runbook_names_the_severity_and_tells_what_to_do(name):
    text = (RUNBOOKS / f"{name}.md").read_text()
    assert f"Severity: {ALERTS[name]['labels']['severity']}." in text
    for heading in ("What users notice", "Look here first", "Mend", "Afterwards"):
        assert f"## {heading}\n" in text


def test_each_alert_fires_in_a_test():
    assert set(ALERTS) - FIRED == set()


def test_each_alert_is_silent_in_a_test_of_a_healthy_service():
    drift = {"DriftOfMaterial", "DriftOfAnswers"}  # Silent in drift.yml, where four weeks pass.
    assert {test["alertname"] for name, test in EXPECTED if name == "drift" and not test["exp_alerts"]} == drift
    assert set(ALERTS) - SILENT_WHEN_HEALTHY == drift


def test_recorded_names_begin_with_the_service_s():
    assert [rule["record"] for rule in rules() if not rule.get("record", "hilbert:").startswith("hilbert:")] == []


def test_numbers_that_clients_were_told_are_the_settings_defaults():
    from service.settings import Settings

    assert Settings.model_fields["max_queue_wait"].default.total_seconds() == 1800
    assert "> 1800" in ALERTS["QueueOverdue"]["expr"]


def test_alertmanager_files_differ_in_who_is_told_alone():
    folder = ROOT / "deploy" / "monitoring" / "alertmanager"
    told = [read(folder / f"{name}.yml") for name in ("alertmanager", "email", "webhook")]
    assert all(each["route"] == told[0]["route"] for each in told)
    assert all(each["inhibit_rules"] == told[0]["inhibit_rules"] for each in told)
    assert all({receiver["name"] for receiver in each["receivers"]} == {"operator", "nobody"} for each in told)
