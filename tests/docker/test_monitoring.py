"""The monitoring beside a running stack: `make monitoring-journey` starts both and runs these."""

import json
import os
import re
import shlex
import time
from datetime import UTC, datetime

import httpx
import pytest

from tests.deploy.monitoring import RUNBOOKS, queries
from tests.docker.stack import ROOT, finished, silence

AUDIO = (ROOT / "examples" / "interview.flac").read_bytes()
TRANSCRIPT = (ROOT / "examples" / "interview.vtt").read_bytes()
TARGETS = {"api", "prepare", "encode", "score", "deliver", "prometheus", "alertmanager"}
SCRAPED_SECONDS = 40
SQL = re.compile(r"^docker compose exec postgres (psql .*)$", re.MULTILINE)


@pytest.fixture(scope="module")
def prometheus(stack):
    """A client of Prometheus."""
    if "prometheus" not in stack.compose("ps", "--services", "--status", "running").split():
        pytest.skip("no monitoring beside this stack: `make monitoring-journey` starts one")
    published = os.environ.get("PROMETHEUS_PUBLISH", "127.0.0.1:9090")
    with httpx.Client(base_url=f"http://{published}", timeout=30, trust_env=False) as http:
        yield http


def ask(prometheus, query):
    """The series that an instant query finds."""
    answer = prometheus.get("/api/v1/query", params={"query": query}).json()
    assert answer["status"] == "success", (query, answer.get("error"))
    return answer["data"]["result"]


def until(what, within, every=2.0):
    """Seconds until `what` is true."""
    begun = time.monotonic()
    while time.monotonic() < begun + within:
        if what():
            return time.monotonic() - begun
        time.sleep(every)
    raise AssertionError(f"not within {within} s")


def submit(client, **files):
    """An assessment in its final state."""
    answer = client.post("/v1/assessments", files=files)
    assert answer.status_code == httpx.codes.ACCEPTED, answer.text
    return finished(client, answer.headers["Location"])


@pytest.fixture(scope="module")
def worked(stack, client, prometheus):
    """Assessments have succeeded, abstained and been cancelled, in both lanes; webhooks were delivered and were not."""
    for url in ("http://receiver:8080/hook", "http://receiver:8081/nobody"):
        assert client.post("/v1/webhooks", json={"url": url}).is_success
    time.sleep(SCRAPED_SECONDS / 2)  # Counters are seen before they rise.
    states = [submit(client, audio=AUDIO, transcript=TRANSCRIPT)["state"] for _ in range(3)]
    states.append(submit(client, audio=silence())["state"])
    assert states == ["succeeded"] * 3 + ["abstained"]
    assert client.get("/v1/assessments/nobody").status_code == httpx.codes.NOT_FOUND
    time.sleep(SCRAPED_SECONDS)
    submit(client, audio=AUDIO, transcript=TRANSCRIPT)
    submit(client, audio=silence())
    time.sleep(SCRAPED_SECONDS)


def test_every_target_is_up(stack, prometheus):
    def all_up():
        found = prometheus.get("/api/v1/targets").json()["data"]["activeTargets"]
        return {each["labels"]["job"] for each in found if each["health"] == "up"} == TARGETS and all(
            each["health"] == "up" for each in found
        )

    until(all_up, within=90)
    counts = {each["metric"]["job"]: int(each["value"][1]) for each in ask(prometheus, "sum by (job) (up)")}
    print("targets that are up:", counts)  # noqa: T201


def test_no_rule_fails(prometheus):
    groups = prometheus.get("/api/v1/rules").json()["data"]["groups"]
    assert [
        (rule["name"], rule["lastError"]) for group in groups for rule in group["rules"] if rule.get("lastError")
    ] == []


def never(unanswered, within):
    """Queries of dashboards of which this was true whenever they were asked: rules and scrapes have their own times."""
    left, deadline = queries(), time.monotonic() + within
    while left and time.monotonic() < deadline:
        left = [query for query in left if unanswered(query[-1])]
        time.sleep(2 if left else 0)
    return left


def test_every_query_of_every_dashboard_returns_data(prometheus, worked):
    print("queries of dashboards:", len(queries()))  # noqa: T201
    assert never(lambda expr: not ask(prometheus, expr), within=240) == []


def test_queries_return_numbers_and_not_only_names(client, prometheus, worked):
    """Ratios of nothing are NaN; after some work none of a dashboard's queries is NaN throughout."""

    def only_names(expr):
        return all(each["value"][1] == "NaN" for each in ask(prometheus, expr))

    submit(client, transcript=TRANSCRIPT)  # rates look back for a minute
    assert never(only_names, within=120) == []


def test_a_day_unlike_the_weeks_before_is_seen_as_drift(prometheus):
    """monitoring/past.py has written the weeks and the day; half of the recordings have moved."""
    until(lambda: ask(prometheus, "hilbert:drift_distance"), within=360)
    found = {each["metric"]["measure"]: float(each["value"][1]) for each in ask(prometheus, "hilbert:drift_distance")}
    assert found["snr_db"] == pytest.approx(0.5, abs=0.05)
    assert found["speech_ratio"] == pytest.approx(0, abs=0.05)

    def waiting():
        alerts = prometheus.get("/api/v1/alerts").json()["data"]["alerts"]
        return ("DriftOfMaterial", "snr_db") in {
            (each["labels"]["alertname"], each["labels"].get("measure")) for each in alerts
        }

    until(waiting, within=60)


def test_the_runbooks_questions_to_the_database_can_be_asked(stack, prometheus):
    commands = {(page.stem, found) for page in RUNBOOKS.glob("*.md") for found in SQL.findall(page.read_text())}
    assert len(commands) > 5
    for _, command in sorted(commands):
        stack.inside("postgres", *shlex.split(command))


def test_an_alert_goes_out_when_nobody_encodes_and_passes_when_somebody_does(stack, prometheus, worked):
    begun = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"

    def told(status):
        lines = stack.compose("logs", "--no-log-prefix", "--since", begun, "receiver").splitlines()
        bodies = [json.loads(line.partition("/alerts ")[2]) for line in lines if "/alerts " in line]
        alerts = [alert for body in bodies for alert in body["alerts"]]
        return [
            alert
            for alert in alerts
            if alert["labels"]["alertname"] == "NoLivingWorker"
            and alert["labels"]["queue"] == "encode"
            and alert["status"] == status
        ]

    stack.compose("stop", "encode")
    fired = until(lambda: told("firing"), within=420)
    (alert, *_) = told("firing")
    assert alert["annotations"]["runbook_url"].endswith("/NoLivingWorker.md")
    stack.compose("start", "encode")
    passed = until(lambda: told("resolved"), within=420)
    print(f"NoLivingWorker was told after {fired:.0f} s, and its end {passed:.0f} s after the start")  # noqa: T201
