"""The queries that KEDA scales by, on a real PostgreSQL, as the role that KEDA has."""

import math
import uuid
from datetime import timedelta

import psycopg
import pytest
import yaml

from service.assessments.repository import AssessmentRepository
from service.assessments.states import NewAssessment, Priority
from service.auth.caller import Caller
from service.storage.database import Database, now
from service.storage.migration import migrate
from service.storage.tables import AssessmentRow, DeliveryRow, MessageRow, StageRow, WebhookRow
from tests.deploy.kubernetes.overlays import KUBERNETES

AUTOSCALING = KUBERNETES / "components" / "autoscaling"
STAGES = ("prepare", "encode", "score")
TARGETS = {"prepare": (2, 60), "encode": (2, 120), "score": (8, 60), "deliver": (16, 30)}
CALLER = Caller(key_id="aaaaaaaa", tenant="ward-a")


def triggers(queue):
    """A queue's triggers by name, as its manifest has them."""
    manifest = yaml.safe_load((AUTOSCALING / f"{queue}.yaml").read_text())
    return {trigger["name"]: trigger for trigger in manifest["spec"]["triggers"]}


@pytest.fixture(scope="module")
def url(postgresql):
    """A migrated database with the role that may count."""
    url = postgresql.create_database("scaling")
    database = Database(url)
    migrate(database)
    database.close()
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute((KUBERNETES / "autoscaler.sql").read_text())
    return url


@pytest.fixture
def database(url):
    database = Database(url)
    with database.writing() as session:
        for table in (DeliveryRow, MessageRow, WebhookRow, StageRow, AssessmentRow):
            session.query(table).delete()
    yield database
    database.close()


@pytest.fixture
def ask(url):
    """Asks what a trigger asks, as the role that KEDA has."""
    with psycopg.connect(url.replace("+psycopg", "").replace("hilbert@", "hilbert_autoscaler@")) as connection:

        def ask(queue, trigger):
            rows = connection.execute(triggers(queue)[trigger]["metadata"]["query"]).fetchall()
            connection.rollback()
            ((number,),) = rows
            return float(number)

        yield ask


@pytest.fixture
def submit(database):
    """A stage of a kind, of an assessment of its own."""

    def submit(kind, *, state="ready", priority=Priority.ROUTINE, age=0.0, due_in=None):
        order = NewAssessment(
            id=str(uuid.uuid4()),
            task="spectrum",
            reference=None,
            priority=priority,
            bundle="any",
            request_id="r",
            audio_key=None,
            transcript_key=None,
        )
        with database.writing() as session:
            AssessmentRepository(session, CALLER).add(order)
            stage = session.query(StageRow).filter_by(assessment_id=order.id).one()
            stage.kind, stage.state, stage.created_at = kind, state, now() - timedelta(seconds=age)
            stage.not_before = None if due_in is None else now() + timedelta(seconds=due_in)

    return submit


@pytest.mark.parametrize("queue", TARGETS)
def test_a_queue_without_work_wants_no_more_workers(queue, database, ask):
    assert ask(queue, "depth") == 0
    assert ask(queue, "age") == 0


@pytest.mark.parametrize("queue", TARGETS)
def test_the_targets_are_those_of_the_capacity_page(queue):
    wanted = triggers(queue)
    assert tuple(int(wanted[name]["metadata"]["targetQueryValue"]) for name in ("depth", "age")) == TARGETS[queue]
    assert (wanted["depth"]["metricType"], wanted["age"]["metricType"]) == ("AverageValue", "Value")


@pytest.mark.parametrize("queue", STAGES)
def test_what_waits_and_what_is_under_way_counts_and_nothing_else(queue, submit, ask):
    for state in ("ready", "ready", "leased", "done", "failed", "cancelled"):
        submit(queue, state=state)
    submit(queue, due_in=60)
    submit(queue, due_in=-60)
    for other in set(STAGES) - {queue}:
        submit(other)
    assert ask(queue, "depth") == 4
    per_pod = int(triggers(queue)["depth"]["metadata"]["targetQueryValue"])
    assert math.ceil(4 / per_pod) == {"prepare": 2, "encode": 2, "score": 1}[queue]


@pytest.mark.parametrize("queue", STAGES)
def test_the_age_is_that_of_the_routine_stage_that_has_waited_longest(queue, submit, ask):
    submit(queue, age=90)
    submit(queue, age=30)
    submit(queue, age=500, priority=Priority.BATCH)
    submit(queue, age=500, state="leased")
    submit(queue, age=500, due_in=20)
    assert ask(queue, "age") == pytest.approx(90, abs=10)


def test_a_stage_that_was_put_off_has_waited_since_it_was_due(submit, ask):
    submit("encode", age=500, due_in=-40)
    assert ask("encode", "age") == pytest.approx(40, abs=10)


def test_a_batch_counts_as_work(submit, ask):
    submit("prepare", priority=Priority.BATCH)
    assert ask("prepare", "depth") == 1


def test_deliveries_that_are_due_count(database, ask):
    moment = now()
    with database.writing() as session:
        session.add(
            WebhookRow(
                id="w",
                tenant="ward-a",
                url="https://clinic.example/",
                events=[],
                state="enabled",
                secret="whsec",
                created_at=moment,
                updated_at=moment,
            )
        )
        for number, (state, due_in) in enumerate((("ready", None), ("ready", -50), ("ready", 600), ("leased", None))):
            session.add(
                MessageRow(id=f"m{number}", tenant="t", event="e", subject="s", payload="{}", created_at=moment)
            )
            session.flush()
            session.add(
                DeliveryRow(
                    id=f"d{number}",
                    message_id=f"m{number}",
                    webhook_id="w",
                    state=state,
                    fence=0,
                    attempt=0,
                    created_at=moment - timedelta(seconds=100),
                    not_before=None if due_in is None else moment + timedelta(seconds=due_in),
                )
            )
    assert ask("deliver", "depth") == 3
    assert ask("deliver", "age") == pytest.approx(100, abs=10)


def test_the_role_that_counts_reads_nothing_else(url):
    with psycopg.connect(url.replace("+psycopg", "").replace("hilbert@", "hilbert_autoscaler@")) as connection:
        for column in ("assessment.tenant", "assessment.result_key", "stage.output_key", "api_key.digest"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(f"SELECT {column} FROM {column.partition('.')[0]}")
            connection.rollback()


def test_more_slots_are_a_higher_target(rendered):
    for resources in rendered.values():
        slots = {
            one["metadata"]["name"]: int(variable["value"])
            for one in resources
            if one["kind"] == "Deployment"
            for variable in one["spec"]["template"]["spec"]["containers"][0].get("env", ())
            if variable["name"] == "HILBERT_CONCURRENCY"
        }
        for one in resources:
            if one["kind"] == "ScaledObject" and (queue := one["metadata"]["name"].removeprefix("hilbert-")) in STAGES:
                target = int(one["spec"]["triggers"][0]["metadata"]["targetQueryValue"])
                assert target == TARGETS[queue][0] * slots.get(f"hilbert-{queue}", 1)
