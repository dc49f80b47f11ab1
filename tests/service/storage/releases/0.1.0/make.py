"""Fill a database with the code of release 0.1.0 and write down what is in it. Run from a checkout of that release:

    git worktree add ../release-0.1.0 3211490
    cd ../release-0.1.0
    PYTHONPATH=. python .../tests/service/storage/releases/0.1.0/make.py DATABASE_URL EXPECTED.json

Then dump it: `sqlite3 FILE .dump`, or Python's `iterdump`, and `pg_dump --inserts --no-owner --no-privileges`.
Nothing in it is real: the material is a few bytes, and its stages were worked off by the stand-in for a model.
"""

import asyncio
import json
import sys
import tempfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from service.jobs.assessment import BatchPlace, Order, Priority, State
from service.jobs.batch_ending import finish_batches
from service.jobs.batch_repository import BatchRepository
from service.jobs.idempotency import Answer, begin, complete
from service.jobs.repository import AssessmentRepository
from service.jobs.stages import StageRepository
from service.jobs.uploads import UploadRepository
from service.jobs.webhooks import WebhookRepository
from service.jobs.workers import WorkerIdentity, register
from sqlalchemy import select

from service.auth.caller import Caller
from service.auth.keys import KeyRing
from service.auth.peppers import load_peppers
from service.settings import Settings
from service.storage.database import Database
from service.storage.migration import migrate
from service.storage.objects import ObjectStore, material_prefix
from service.storage.tables import AssessmentRow, StageRow, UploadRow
from service.worker.stage_runner import StageRunner, patience
from tests.service.rehearsal import RehearsalAssessor

PEPPER = "a pepper that is no secret at all, of a test"
CALLER = Caller(key_id="aaaaaaaa", tenant="ward-a")
LONG = b"pace=1" + b"x" * 320
ALL = ("prepare", "encode", "score")
NO_EVENTS = ()


class Filling:
    """A database, objects that are thrown away, and one worker that does one stage when it is told to."""

    def __init__(self, url: str, folder: Path) -> None:
        self.settings = Settings(data_dir=folder, peppers={1: PEPPER}, attempts=1)
        self.database = Database(url)
        migrate(self.database)
        self.objects = ObjectStore((folder / "objects").as_uri())
        self.worker = WorkerIdentity(id="host-1-aaaaaaaa", queues=ALL)
        assessor = RehearsalAssessor()
        with self.database.writing() as session:
            register(session, self.worker, assessor.model)
        self.runner = StageRunner(
            self.database,
            self.objects,
            assessor,
            worker=self.worker,
            patience=patience(self.settings),
            scratch=folder,
        )

    def order(self, name: str, audio: bytes, place: BatchPlace | None = None) -> Order:
        key = self.objects.put(material_prefix(name), audio)
        return Order(
            id=name,
            task="spectrum",
            reference=None if place else f"reference of {name}",
            priority=Priority.BATCH if place else Priority.ROUTINE,
            bundle="rehearsal",
            request_id=f"request-{name}",
            audio_key=key,
            transcript_key=None,
            audio_seconds=1.0,
            place=place,
        )

    def submit(self, name: str, audio: bytes = LONG) -> None:
        with self.database.writing() as session:
            AssessmentRepository(session, CALLER).add(self.order(name, audio))

    def work(self, name: str, until: Callable[[State], bool]) -> None:
        """Do stages of one assessment until its state is right."""
        query = select(StageRow.id).where(StageRow.assessment_id == name, StageRow.state == "ready")
        while not until(self.state(name)):
            with self.database.reading() as session:
                stage = session.scalars(query.order_by(StageRow.index)).first()
            self.runner.run(stage)

    def state(self, name: str) -> State:
        with self.database.reading() as session:
            return State(session.get(AssessmentRow, name).state)


def fill_assessments(filling: Filling) -> None:
    for state in (State.ENCODING, State.SCORING, State.SUCCEEDED):
        filling.submit(f"a-{state}")
        filling.work(f"a-{state}", lambda now, wanted=state: now == wanted)
    for state, audio in ((State.ABSTAINED, b"silence"), (State.FAILED, b"broken")):
        filling.submit(f"a-{state}", audio)
        filling.work(f"a-{state}", lambda now: now.final)
    filling.submit("a-preparing")
    with filling.database.writing() as session:
        (stage,) = session.scalars(select(StageRow.id).where(StageRow.assessment_id == "a-preparing"))
        StageRepository(session, filling.worker.id).claim(stage, timedelta(seconds=60), 5)
    filling.submit("a-cancelled")
    with filling.database.writing() as session:
        AssessmentRepository(session, CALLER).cancel("a-cancelled")
    filling.submit("a-queued")


def fill_batches(filling: Filling) -> None:
    for batch in ("b-finished", "b-running"):
        places = [BatchPlace(batch_id=batch, line=line, custom_id=f"line {line}") for line in (1, 2)]
        orders = [filling.order(f"{batch}-{place.line}", LONG, place) for place in places]
        with filling.database.writing() as session:
            BatchRepository(session, CALLER).add(batch, f"request-{batch}", orders)
    for name in ("b-finished-1", "b-finished-2", "b-running-1"):
        filling.work(name, lambda now: now.final)
    finish_batches(filling.database, filling.objects)


def fill_requests(filling: Filling) -> None:
    hold = begin(filling.database, CALLER, "key-1", "POST /v1/assessments", timedelta(seconds=30))
    with filling.database.writing() as session:
        answer = Answer(status=202, location="/v1/assessments/a-queued", body="{}")
        complete(session, hold, "d" * 64, answer)
        UploadRepository(session, CALLER).add(1000)
        session.flush()
        session.scalars(select(UploadRow)).one().offset = 500


async def main(url: str, expected: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        filling = Filling(url, Path(folder))
        with filling.database.writing() as session:
            WebhookRepository(session, CALLER).add("https://clinic.example/hook", NO_EVENTS)
        key = KeyRing(filling.database, load_peppers(filling.settings)).issue(name="a key", tenant="ward-a")
        fill_assessments(filling)
        fill_batches(filling)
        fill_requests(filling)
        with filling.database.reading() as session:
            states = dict(session.execute(select(AssessmentRow.id, AssessmentRow.state)).all())
        expected.write_text(json.dumps({"pepper": PEPPER, "key": key.secret, "states": states}, indent=1) + "\n")
        filling.database.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2])))
