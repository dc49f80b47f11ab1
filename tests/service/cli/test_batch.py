"""`hilbert batch` as its user starts it, against the real application and a worker with a stand-in for the model."""

import asyncio
import csv
import io
import json
import os
import signal
import subprocess
import sys
import threading
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pyarrow.parquet
import pytest
import uvicorn
from rich.console import Console
from sqlalchemy import func, select

from service.api.app import create_app
from service.auth.keys import ApiKeyRepository, load_peppers
from service.cli.batch import BatchOptions, run_batch
from service.settings import Settings
from service.storage.database import Database
from service.storage.migration import migrate
from service.storage.tables import AssessmentRow, BatchRow
from tests.processes import free_port, running, stop_between_writes
from tests.waiting import wait_for

ROOT = Path(__file__).parents[3]
WAV = b"RIFF\x00\x00\x00\x00WAVE"


class Network:
    """Between the command and the application: slows pieces of files down, cuts some off, and counts."""

    def __init__(self, app):
        self.app = app
        self.created = self.pieces = self.cuts = 0
        self.delay = 0.0

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http" or not scope["path"].startswith("/v1/uploads"):
            await self.app(scope, receive, send)
            return
        if scope["method"] == "PATCH":
            await asyncio.sleep(self.delay)
            if self.cuts:
                self.cuts -= 1
                await self.cut(scope, receive, send)
                return

        async def counting(message):
            self.created += message.get("status") == 201
            self.pieces += message.get("status") == 204
            await send(message)

        await self.app(scope, receive, counting)

    async def cut(self, scope, receive, send):
        """Half of the first bytes arrive, and the answer is lost."""
        first = await receive()
        messages = iter([{**first, "body": first["body"][: len(first["body"]) // 2], "more_body": True}])

        async def half():
            return next(messages, {"type": "http.disconnect"})

        async def lost(message):
            pass

        await self.app(scope, half, lost)
        await send({"type": "http.response.start", "status": 502, "headers": [(b"retry-after", b"0")]})
        await send({"type": "http.response.body", "body": b""})


@dataclass(frozen=True, kw_only=True)
class Service:
    url: str
    key: str
    network: Network
    database: Database

    def count(self, table):
        with self.database.reading() as session:
            return session.scalar(select(func.count()).select_from(table))

    @contextmanager
    def hilbert(self, *arguments):
        """`hilbert batch ...`, running; what it prints goes to its `stdout`."""
        inherited = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("HILBERT_") and not name.lower().endswith("_proxy")
        }
        process = subprocess.Popen(
            (sys.executable, "-m", "service.cli.app", "batch", "--url", self.url, *map(str, arguments)),
            cwd=ROOT,
            env={**inherited, "HILBERT_CLIENT_API_KEY": self.key, "COLUMNS": "200"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        with process:
            try:
                yield process
            finally:
                process.kill()

    def batch(self, *arguments):
        """Exit status and what was printed."""
        with self.hilbert(*arguments) as process:
            printed, _ = process.communicate(timeout=180)
            return process.returncode, printed

    def here(self, manifest, out, **options):
        """The same in this process, which saves a start: exit status and what was printed."""
        printed = io.StringIO()
        settings = {"url": self.url, "key": self.key, "cancel_on_interrupt": False, **options}
        chosen = BatchOptions(manifest=manifest, out=out, retry_timeout=timedelta(seconds=0.1), **settings)
        status = run_batch(chosen, Console(file=printed, width=200))
        return status, printed.getvalue()


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    return Settings(
        data_dir=tmp_path_factory.mktemp("service"),
        sweep_interval=timedelta(milliseconds=100),
        port=free_port(),
        transcript_limit=1000,
    )


@pytest.fixture(scope="module")
def service(settings):
    database = Database(settings.database)
    migrate(database)
    key = ApiKeyRepository(database, load_peppers(settings)).issue(name="test", tenant="default").secret
    network = Network(create_app(settings))
    server = uvicorn.Server(uvicorn.Config(network, port=settings.port, log_config=None, timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run)
    thread.start()
    with closing(database):
        yield Service(url=f"http://127.0.0.1:{settings.port}", key=key, network=network, database=database)
    server.should_exit = True
    thread.join()


@pytest.fixture(scope="module")
def worker(service, settings, fake_worker_command, tmp_path_factory):
    """Without it batches are taken, and wait."""
    command = (*fake_worker_command, "--queues", "prepare,encode,score")
    log = tmp_path_factory.mktemp("worker") / "log"

    def ready():
        with service.database.reading() as session:
            from service.worker_registry import registered_models

            return registered_models(session)

    with running(command, log, until=ready, cwd=ROOT, env=settings.child_environment()) as process:
        yield process


@pytest.fixture
def idle(worker, service):
    """The worker stands still while the test runs."""
    stop_between_writes(worker, service.database)
    yield
    worker.send_signal(signal.SIGCONT)


@pytest.fixture(autouse=True)
def _fresh_counts(service):
    service.network.created, service.network.pieces, service.network.delay = 0, 0, 0.0


@pytest.fixture
def manifest(tmp_path):
    def manifest(lines, special=None):
        rows = ["custom_id,audio,transcript"]
        for number in range(lines):
            (tmp_path / f"{number}.wav").write_bytes(WAV + (special or {}).get(number, b"x" * 100))
            (tmp_path / f"{number}.txt").write_text("hello")
            rows.append(f"v{number},{number}.wav,{'' if number % 2 else f'{number}.txt'}")
        (tmp_path / "m.csv").write_text("\n".join(rows))
        return tmp_path / "m.csv"

    return manifest


def test_a_manifest_becomes_a_table(service, worker, manifest, tmp_path):
    out = tmp_path / "results.parquet"
    special = {1: b"silence" * 1_300_000, 2: b"unreadable"}  # the first in several pieces
    service.network.cuts = 2
    status, printed = service.batch(manifest(12, special), "--out", out)
    assert status == 0, printed
    assert f"12 lines: 10 succeeded, 2 abstained. Results are in {out}" in printed
    rows = pyarrow.parquet.read_table(out).to_pylist()
    assert [row["custom_id"] for row in rows] == [f"v{number}" for number in range(12)]
    assert [row["state"] for row in rows[:4]] == ["succeeded", "abstained", "abstained", "succeeded"]
    assert rows[0]["p_none"] + rows[0]["p_mild"] + rows[0]["p_severe"] == pytest.approx(1)
    assert (rows[0]["outcome"], rows[0]["contribution_audio"], rows[0]["model_digest"]) == (
        "none",
        0.5,
        "sha256:rehearsal",
    )
    assert rows[2]["quality_flags"] == "audio_unreadable"
    assert rows[3]["p_severe"] == pytest.approx(11 / 1000)
    assert service.network.created == 18
    assert service.network.cuts == 0
    assert not (tmp_path / "results.parquet.journal").exists()


def test_the_same_command_continues_after_a_kill(service, worker, manifest, tmp_path):
    file, out = manifest(10), tmp_path / "results.csv"
    service.network.delay = 0.05
    batches = service.count(BatchRow)
    with service.hilbert(file, "--out", out) as process:
        wait_for(lambda: service.network.pieces >= 5)
        process.kill()
        process.wait()
    assert service.count(BatchRow) == batches
    service.network.delay = 0.0
    assert service.batch(file, "--out", out)[0] == 0
    assert service.network.created <= 15 + 4  # at worst what was being begun is begun twice
    with out.open(newline="") as lines:
        assert [row["state"] for row in csv.DictReader(lines)] == ["succeeded"] * 10
    assert service.count(BatchRow) == batches + 1


@pytest.mark.usefixtures("idle")
def test_whatever_ends_the_waiting_there_is_one_batch(service, manifest, tmp_path):
    file, out = manifest(3), tmp_path / "results.jsonl"
    batches = service.count(BatchRow)

    def interrupt(number, *options):
        with service.hilbert(file, "--out", out, *options) as process:
            while "The service has batch" not in process.stdout.readline():
                assert process.poll() is None
            process.send_signal(number)
            printed, _ = process.communicate(timeout=90)
        return process.returncode, printed

    def states():
        with service.database.reading() as session:
            newest = select(BatchRow.id).order_by(BatchRow.created_at.desc()).limit(1).scalar_subquery()
            return set(session.scalars(select(AssessmentRow.state).where(AssessmentRow.batch_id == newest)))

    assert interrupt(signal.SIGKILL)[0] == -signal.SIGKILL
    status, printed = interrupt(signal.SIGINT)
    assert (status, "goes on in the service" in printed) == (130, True)
    assert states() == {"queued"}
    status, printed = interrupt(signal.SIGTERM, "--cancel-on-interrupt")
    assert (status, "was cancelled" in printed) == (130, True)
    assert states() == {"cancelled"}
    status, printed = service.here(file, out)
    assert (status, f"3 lines: 3 cancelled. Results are in {out}" in printed) == (1, True)
    assert [json.loads(line)["error_code"] for line in out.read_text().splitlines()] == ["cancelled"] * 3
    assert service.count(BatchRow) == batches + 1
    assert service.network.created == 5


def test_a_wrong_manifest_or_key_sends_nothing(service, worker, manifest, tmp_path):
    file, out = manifest(2), tmp_path / "r.csv"
    status, printed = service.here(file, out, key="hil_wrong")
    assert (status, "HILBERT_CLIENT_API_KEY" in printed) == (77, True)
    assert service.here(file, out, key=None)[0] == 78
    (tmp_path / "1.wav").unlink()
    status, printed = service.here(file, out)
    assert (status, "line 3: audio: there is no file" in printed) == (65, True)
    assert service.network.created == 0
    assert not (tmp_path / "r.csv.journal").exists()


def test_problems_of_the_service_are_reported_at_the_lines_of_the_manifest(service, worker, manifest, tmp_path):
    file, out = manifest(2), tmp_path / "r.csv"
    (tmp_path / "0.txt").write_text("x" * 1001)
    status, printed = service.here(file, out)
    assert (status, "line 2: The transcript is larger than 1000 bytes" in printed) == (65, True)
    (tmp_path / "0.txt").write_text("hello again")
    assert service.here(file, out)[0] == 0
    assert service.network.created == 4  # the others were kept


def test_an_unreachable_service_is_reported_after_the_retry_timeout(service, manifest, tmp_path, closed_port):
    status, printed = service.here(manifest(1), tmp_path / "r.csv", url=f"http://127.0.0.1:{closed_port}")
    assert (status, "does not answer" in printed) == (69, True)
