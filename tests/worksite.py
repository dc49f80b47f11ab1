"""A data folder with real worker processes on it, without an API."""

import json
import subprocess
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Select, update

from service.assessments.repository import AssessmentRepository
from service.assessments.states import NewAssessment, Priority
from service.auth.caller import Caller
from service.setting_groups import REPOSITORY
from service.settings import Settings
from service.storage.database import Database, now
from service.storage.migration import migrate
from service.storage.objects import ObjectStore, material_prefix
from service.storage.tables import StageRow
from tests.processes import running

ALL = ("--queues", "prepare,encode,score")
CALLER = Caller(key_id="aaaaaaaa", tenant="ward-a")


def stored_order(
    objects: ObjectStore,
    name: str,
    *,
    audio: bytes | None,
    transcript: bytes | None,
    priority: Priority = Priority.ROUTINE,
) -> NewAssessment:
    """An order whose material is in the object store."""
    keys = [None if part is None else objects.put(material_prefix(name), part) for part in (audio, transcript)]
    return NewAssessment(
        id=name,
        task="spectrum",
        reference=None,
        priority=priority,
        bundle="any",
        request_id=name,
        audio_key=keys[0],
        transcript_key=keys[1],
    )


class WorkSite:
    """A data folder, what is submitted to it, and the worker that serves it."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.settings = Settings(data_dir=folder, threads=1, sweep_interval=timedelta(seconds=0.2), **settings)
        self.settings.folder.mkdir()
        self.database = Database(self.settings.database)
        migrate(self.database)
        self.objects = ObjectStore(self.settings.object_store)
        self.log = folder / "worker.log"

    def send(
        self, name: str, *, audio: bytes | None = None, transcript: bytes | None = None, published: bool = False
    ) -> None:
        """Submit an assessment; `published` marks its stage as published, though no message was sent."""
        order = stored_order(self.objects, name, audio=audio, transcript=transcript)
        with self.database.writing() as session:
            AssessmentRepository(session, CALLER).add(order)
            if published:
                session.execute(update(StageRow).values(enqueued_at=now()))

    def worker(
        self, command: Sequence[str], until: Callable[[], object], *, log: Path | None = None
    ) -> AbstractContextManager[subprocess.Popen]:
        """A worker of all stages, from the moment that `until` says until it has ended."""
        options: dict[str, Any] = {"cwd": REPOSITORY, "env": self.settings.child_environment()}
        return running((*command, *ALL), log or self.log, until=until, **options)

    def ask(self, query: Select) -> Sequence:
        """The first column of the rows that a query finds."""
        with self.database.reading() as session:
            return session.scalars(query).all()

    def lines(self, event: str) -> list[dict]:
        """What the worker has logged under this name."""
        found = [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]
        return [line for line in found if line["event"] == event]


@pytest.fixture
def open_site(tmp_path):
    """Opens sites that are closed after the test."""
    made = []

    def open_site(**settings):
        made.append(WorkSite(tmp_path / "data", **settings))
        return made[-1]

    yield open_site
    for site in made:
        site.database.close()
