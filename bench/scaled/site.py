"""A PostgreSQL, a Redis and as many worker processes as a run asks for; no API, which would share their cores."""

from __future__ import annotations

import os
import sys
import uuid
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from redis import Redis
from sqlalchemy import func, select, text

from bench.scaled.accounts import Account, account
from service.assessments.repository import AssessmentRepository
from service.assessments.states import FINAL_STATES, NewAssessment, Priority
from service.auth.caller import Caller
from service.setting_groups import REPOSITORY
from service.settings import Settings
from service.storage.database import Database
from service.storage.migration import migrate
from service.storage.objects import ObjectStore
from service.storage.tables import AssessmentRow, StageRow
from service.worker_registry import live_workers
from tests.processes import running
from tests.servers import postgresql_server, redis_server
from tests.waiting import wait_for
from tests.worksite import stored_order

ALL = "prepare,encode,score"
REAL = (sys.executable, "-m", "service.cli.app", "worker")
FAKE_WORKER = (sys.executable, "-m", "tests.service.fake_worker")
CALLER = Caller(key_id="aaaaaaaa", tenant="bench")
LONGEST_RUN_SECONDS = 1800


@dataclass(frozen=True, slots=True, kw_only=True)
class Servers:
    """What every run of a bench shares."""

    folder: Path
    postgresql_port: int
    postgresql_pid: int
    redis_port: int
    redis_pid: int

    @contextmanager
    def run(self) -> Iterator[Run]:
        """An empty database, an empty queue and an empty object store."""
        name = f"run_{uuid.uuid4().hex[:8]}"
        where = f"postgresql+psycopg://hilbert@127.0.0.1:{self.postgresql_port}"
        outside = Database(f"{where}/postgres")
        with outside.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
        outside.close()
        Redis(port=self.redis_port).flushall()
        settings = Settings(
            data_dir=self.folder / name,
            threads=1,
            database_url=f"{where}/{name}",
            broker_url=f"redis://127.0.0.1:{self.redis_port}/0",
        )
        settings.folder.mkdir()
        database = Database(settings.database)
        try:
            migrate(database)
            yield Run(settings=settings, database=database, objects=ObjectStore(settings.object_store))
        finally:
            database.close()


@contextmanager
def open_servers(folder: Path) -> Iterator[Servers]:
    """Both servers, durable as in production, until the end of the block."""
    (folder / "redis").mkdir()
    redis = redis_server(folder / "redis")
    with postgresql_server("fsync=on") as postgresql, postgresql.running() as first, redis.running() as second:
        yield Servers(
            folder=folder,
            postgresql_port=postgresql.port,
            postgresql_pid=first.pid,
            redis_port=redis.port,
            redis_pid=second.pid,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run: submit, work, look."""

    settings: Settings
    database: Database
    objects: ObjectStore

    @contextmanager
    def workers(self, queues: Sequence[str], command: Sequence[str] = REAL) -> Iterator[dict[str, int]]:
        """A process for each entry, ready; their ids by name."""
        with ExitStack() as closing:
            pids = {}
            for number, served in enumerate(queues):
                environment = {**self.settings.child_environment(), "HILBERT_DATA_DIR": str(self._own(number))}
                environment["HILBERT_OBJECT_STORE_URL"] = self.settings.object_store
                process = running(
                    (*command, "--queues", served),
                    self.settings.folder / f"worker-{number}.log",
                    until=lambda: True,
                    cwd=REPOSITORY,
                    env=environment,
                )
                pids[f"{served}-{number}"] = closing.enter_context(process).pid
            wait_for(lambda: self._living() == len(queues), seconds=180, every=0.1)
            yield pids

    def _own(self, number: int) -> Path:
        folder = self.settings.folder / f"worker-{number}"
        folder.mkdir()
        return folder

    def _living(self) -> int:
        with self.database.reading() as session:
            return len(live_workers(session, self.settings.worker_timeout))

    def submit(self, count: int, audio: bytes, transcript: bytes | None = None) -> None:
        """Many assessments of one recording, in one transaction, as a batch is."""
        orders = [self._order(audio, transcript) for _ in range(count)]
        with self.database.writing() as session:
            repository = AssessmentRepository(session, CALLER)
            for order in orders:
                repository.add(order)

    def _order(self, audio: bytes, transcript: bytes | None) -> NewAssessment:
        name = str(uuid.uuid4())
        return stored_order(self.objects, name, audio=audio, transcript=transcript, priority=Priority.BATCH)

    def finish(self) -> None:
        """Wait until every assessment has ended."""
        wait_for(lambda: self._unfinished() == 0, seconds=LONGEST_RUN_SECONDS, every=0.5)

    def _unfinished(self) -> int:
        unfinished = select(func.count()).select_from(AssessmentRow).where(AssessmentRow.state.not_in(FINAL_STATES))
        with self.database.reading() as session:
            return session.scalar(unfinished) or 0

    def stages(self) -> list[Stage]:
        """Every stage that was done, in order of its end."""
        rows = select(StageRow.kind, StageRow.claimed_at, StageRow.finished_at).where(StageRow.finished_at.is_not(None))
        with self.database.reading() as session:
            found = session.execute(rows.order_by(StageRow.finished_at)).all()
        return [
            Stage(kind=row.kind, begun=row.claimed_at.timestamp(), ended=row.finished_at.timestamp()) for row in found
        ]

    def stored_bytes(self) -> int:
        """Bytes in the object store at this moment."""
        folder = Path(self.settings.object_store.removeprefix("file://"))
        return sum(_size(path) for path in folder.rglob("*") if path.is_file())

    def database_bytes(self) -> int:
        """Bytes that the database takes."""
        with self.database.reading() as session:
            return int(session.scalar(text("SELECT pg_database_size(current_database())")) or 0)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:  # deleted in between
        return 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One stage that was done: what it was, and when it was taken and finished, as seconds of the clock."""

    kind: str
    begun: float
    ended: float


def accounts(pids: dict[str, int]) -> dict[str, Account]:
    """What each process has used so far."""
    return {name: account(pid) for name, pid in pids.items()}


def cores() -> int:
    """Cores that this bench may use."""
    return len(os.sched_getaffinity(0))
