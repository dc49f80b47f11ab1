"""A database of each kind, empty for every test, and the small fakes that the service's tests share."""

import importlib.util
import logging
import shutil
import socket
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import structlog
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from sqlalchemy import delete, text

from service.assessments.repository import AssessmentRepository
from service.assessments.states import NewAssessment, Priority
from service.auth.caller import Caller
from service.observability.metrics import REGISTRY
from service.observability.traces import use_provider
from service.storage.database import Database, now
from service.storage.migration import migrate
from service.storage.objects import ObjectStore
from service.storage.tables import AssessmentRow, StageRow, Table
from service.webhooks.repository import WebhookRepository
from service.worker_registry import LoadedModel, TaskOutcomes, WorkerIdentity, register
from tests.wire import wire_to

HERE = Path(__file__).parent
FAKE_WORKER = (sys.executable, "-m", "tests.service.fake_worker")
WAV = b"RIFF\x00\x00\x00\x00WAVE"


@pytest.fixture(autouse=True)
def _quiet_logging():
    """Give back the logging that a command under test has configured for its process."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers, root.level = handlers, level
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port where nobody listens, and where nobody else can begin to."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


@pytest.fixture(scope="session")
def postgres_url(postgresql) -> str:
    """A migrated database on PostgreSQL."""
    url = postgresql.create_database("service")
    database = Database(url)
    migrate(database)
    database.close()
    return url


@pytest.fixture
def emptied(postgres_url) -> str:
    """That database, without rows."""
    database = Database(postgres_url)
    names = ", ".join(table.name for table in Table.metadata.sorted_tables)
    with database.writing() as session:
        session.execute(text(f"TRUNCATE {names}"))
    database.close()
    return postgres_url


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory) -> Path:
    """A SQLite file that has been migrated, to be copied."""
    file = tmp_path_factory.mktemp("migrated") / "hilbert.sqlite"
    database = Database(f"sqlite:///{file}")
    migrate(database)
    database.close()
    return file


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request, tmp_path, migrated_file) -> str:
    """A migrated database without rows, on each of the two."""
    if request.param == "sqlite":
        return f"sqlite:///{shutil.copy(migrated_file, tmp_path / 'test.sqlite')}"
    return request.getfixturevalue("emptied")


@pytest.fixture
def database(database_url):
    database = Database(database_url)
    yield database
    database.close()


@pytest.fixture
def wire(emptied):
    """To an empty PostgreSQL, breaking where a test says."""
    with wire_to(emptied) as wire:
        yield wire


@pytest.fixture
def far_database(wire):
    """At the other end of the wire."""
    database = Database(wire.url, timedelta(seconds=30))
    yield database
    database.close()


@pytest.fixture
def sqlite(tmp_path, migrated_file):
    """For tests that have nothing to do with the kind of database."""
    database = Database(f"sqlite:///{shutil.copy(migrated_file, tmp_path / 'hilbert.sqlite')}")
    yield database
    database.close()


@pytest.fixture
def objects(tmp_path) -> ObjectStore:
    return ObjectStore((tmp_path / "objects").as_uri())


@pytest.fixture
def caller() -> Caller:
    return Caller(key_id="aaaaaaaa", tenant="ward-a")


@pytest.fixture
def stranger() -> Caller:
    return Caller(key_id="bbbbbbbb", tenant="ward-b")


@pytest.fixture
def submit(caller):
    """Submit an assessment straight into a database."""

    def submit(database, assessment_id="a1", *, by=caller, priority=Priority.ROUTINE, audio_key=None):
        order = NewAssessment(
            id=assessment_id,
            task="spectrum",
            reference=None,
            priority=priority,
            bundle="rehearsal",
            request_id="r1",
            audio_key=audio_key,
            transcript_key=None,
        )
        with database.writing() as session:
            return AssessmentRepository(session, by).add(order)

    return submit


@pytest.fixture
def loaded_model() -> LoadedModel:
    return LoadedModel(
        bundle="rehearsal",
        version="1",
        digest="sha256:rehearsal",
        demonstration=True,
        tasks=(TaskOutcomes(name="spectrum", outcomes=("none", "mild", "severe")),),
        encoders={"audio": "none"},
    )


@pytest.fixture
def join_worker(loaded_model):
    """Let a worker of some queues report to a database."""

    def join_worker(database, worker_id="w1", queues=("prepare", "encode", "score"), model=loaded_model):
        worker = WorkerIdentity(id=worker_id, queues=queues)
        with database.writing() as session:
            register(session, worker, model)
        return worker

    return join_worker


@pytest.fixture
def add_webhook(caller):
    """Add a webhook straight into a database."""

    def add_webhook(database, url="https://clinic.example/", *, by=caller, events=()):
        with database.writing() as session:
            return WebhookRepository(session, by).add(url, events)

    return add_webhook


class RecordingPublisher:
    """Keeps what was rung; `broken` makes it unreachable."""

    def __init__(self):
        self.published = []
        self.broken = False

    def publish(self, queue, stage_id):
        from service.task_queue.publisher import BrokerUnreachable

        if self.broken:
            raise BrokerUnreachable
        self.published.append((str(queue), stage_id))


@pytest.fixture
def publisher():
    return RecordingPublisher()


@pytest.fixture(scope="session")
def fake_worker_command() -> tuple[str, ...]:
    return FAKE_WORKER


@pytest.fixture(scope="session")
def fake_worker_module():
    """The stand-in for the model, as a module."""
    specification = importlib.util.spec_from_file_location("fake_worker", HERE / "fake_worker.py")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.fixture
def model(fake_worker_module):
    return fake_worker_module.FakeModel()


@pytest.fixture
def measured(submit):
    """Let a database hold one ended assessment whose stages took a second in all, so that a pace is known."""

    def measured(database, *, ended_ago=timedelta(0)):
        submit(database, "measured")
        end = now() - ended_ago
        with database.writing() as session:
            session.execute(delete(StageRow).where(StageRow.assessment_id == "measured"))
            row = session.get(AssessmentRow, "measured")
            row.state, row.audio_key, row.audio_seconds, row.segments_total = "succeeded", "x", 100.0, 16
            for kind, segments, busy in (("prepare", 0, 0.1), ("encode", 16, 0.8), ("score", 0, 0.1)):
                session.add(
                    StageRow(
                        id=f"measured-{kind}",
                        assessment_id="measured",
                        kind=kind,
                        index=0,
                        state="done",
                        segments=segments,
                        fence=1,
                        attempt=1,
                        created_at=end,
                        owner=kind,
                        claimed_at=end - timedelta(seconds=busy),
                        finished_at=end,
                    )
                )

    return measured


@pytest.fixture
def counted():
    """How far a metric has risen since the test began: `counted("hilbert_sweeps_total", outcome="done")`."""
    before = {(sample.name, tuple(sorted(sample.labels.items()))): sample.value for sample in _samples()}

    def counted(name, **labels):
        rise = (REGISTRY.get_sample_value(name, labels) or 0.0) - before.get((name, tuple(sorted(labels.items()))), 0.0)
        return round(rise, 6)

    return counted


def _samples():
    return [sample for family in REGISTRY.collect() for sample in family.samples]


@pytest.fixture
def traced():
    """Trace with everything kept in memory; gives a function that returns the ended spans of a name."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    with use_provider(provider):
        yield lambda name: [span for span in exporter.get_finished_spans() if span.name == name]
