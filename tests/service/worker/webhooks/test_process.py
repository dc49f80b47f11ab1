"""A real worker of the queue `deliver`, in an install without any model, and real receivers."""

import os
import shutil
import signal
import sys
from datetime import timedelta

import pytest
from sqlalchemy import select, update
from standardwebhooks import Webhook

from service.assessments.repository import AssessmentRepository
from service.assessments.states import NewAssessment, Priority
from service.auth.caller import Caller
from service.setting_groups import REPOSITORY
from service.settings import Settings
from service.storage.database import Database, now
from service.storage.tables import DeliveryRow, WorkerRow
from service.webhooks.repository import WebhookRepository
from tests.processes import free_port, running
from tests.receiver import Receiver
from tests.waiting import wait_for

ABSENT = ("model", "numpy", "onnxruntime", "av", "tokenizers", "torch", "fastapi")
WITHOUT_MODEL = f"import sys; sys.modules.update(dict.fromkeys({ABSENT})); from service.cli.app import main; main()"
WORKER = (sys.executable, "-c", WITHOUT_MODEL, "worker", "--queues", "deliver")


class Site:
    """A data folder, and a tenant in it."""

    def __init__(self, settings):
        self.settings = settings
        self.database = Database(settings.database)
        self.caller = Caller(key_id="aaaaaaaa", tenant="ward-a")

    def webhook(self, url):
        with self.database.writing() as session:
            return WebhookRepository(session, self.caller).add(url, ())

    def end(self, name):
        """An assessment that ends, which every webhook is told of."""
        order = NewAssessment(
            id=name,
            task="spectrum",
            reference=None,
            priority=Priority.ROUTINE,
            bundle="any",
            request_id=name,
            audio_key=None,
            transcript_key=None,
        )
        with self.database.writing() as session:
            AssessmentRepository(session, self.caller).add(order)
        with self.database.writing() as session:
            AssessmentRepository(session, self.caller).cancel(name)

    def look(self, issued):
        with self.database.reading() as session:
            return WebhookRepository(session, self.caller).get(issued.webhook.id)

    def log(self, issued):
        with self.database.reading() as session:
            return WebhookRepository(session, self.caller).deliveries(issued.webhook.id, limit=100, state=None)

    def states(self, issued):
        return [item.state for item in self.log(issued)]

    def errors(self, issued):
        return {attempt.error for item in self.log(issued) for attempt in item.attempts}

    def let_leases_run_out(self):
        with self.database.writing() as session:
            session.execute(update(DeliveryRow).values(lease_until=now() - timedelta(seconds=1)))

    def workers(self):
        with self.database.reading() as session:
            return session.scalars(select(WorkerRow)).all()


def settings_for(tmp_path, **servers):
    settings = Settings(
        data_dir=tmp_path / "data",
        sweep_interval=timedelta(seconds=0.2),
        webhook_timeout=timedelta(seconds=1),
        webhook_retries=[timedelta(seconds=0.3)] * 9,
        webhook_allow_http=True,
        webhook_networks=("127.0.0.0/8",),
        bundle=tmp_path / "no-bundle",
        **servers,
    )
    settings.folder.mkdir()
    return settings


@pytest.fixture
def embedded(tmp_path, migrated_file):
    settings = settings_for(tmp_path)
    shutil.copy(migrated_file, settings.folder / "hilbert.sqlite")
    site = Site(settings)
    yield site
    site.database.close()


@pytest.fixture
def on_servers(tmp_path, database_url, redis_url):
    site = Site(settings_for(tmp_path, database_url=database_url, broker_url=redis_url))
    yield site
    site.database.close()


def start(site, number=1):
    environment = site.settings.child_environment()
    log = site.settings.folder / f"worker-{number}.log"
    return running(WORKER, log, until=site.workers, cwd=REPOSITORY, env=environment)


def test_each_receiver_gets_one_id_and_a_dead_one_delays_no_other(embedded):
    site = embedded
    late = free_port()
    with Receiver() as good, Receiver(hangs=True) as stuck, Receiver(410) as gone:
        hooks = {name: site.webhook(item.url) for name, item in (("good", good), ("stuck", stuck), ("gone", gone))}
        hooks["late"] = site.webhook(f"http://127.0.0.1:{late}/hook")
        for number in range(6):
            site.end(f"a{number}")
        with start(site) as process:
            (worker,) = site.workers()
            assert (worker.queues, worker.model_digest, worker.slots) == (["deliver"], None, 8)
            wait_for(lambda: site.states(hooks["good"]) == ["delivered"] * 6)
            assert stuck.most_held > 1  # one after the other, each would have waited for the stuck one
            wait_for(lambda: site.look(hooks["gone"]).disabled_reason == "gone")
            wait_for(lambda: "connection" in site.errors(hooks["late"]))
            with Receiver(port=late) as alive:
                wait_for(lambda: site.states(hooks["late"]) == ["delivered"] * 6)
            wait_for(lambda: "timeout" in site.errors(hooks["stuck"]))
            stuck.release.set()
            wait_for(lambda: site.states(hooks["stuck"]) == ["delivered"] * 6)
            process.send_signal(signal.SIGTERM)
            assert process.wait(90) == 0
    assert site.workers() == []
    verify = Webhook(hooks["good"].secret).verify
    assert {verify(item.body, item.headers)["data"]["id"] for item in good.requests} == {f"a{n}" for n in range(6)}
    attempts = {"late": alive.requests, "stuck": stuck.requests, "good": good.requests}
    for name, requests in attempts.items():
        assert {item.headers["webhook-id"] for item in requests} == {item.message_id for item in site.log(hooks[name])}
    assert len(good.requests) == 6
    assert len(stuck.requests) > 6
    assert len(gone.requests) <= 2


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_delivery_of_a_killed_worker_is_sent_again_with_the_same_id(on_servers):
    site = on_servers
    with Receiver(hangs=True) as receiver:
        hook = site.webhook(receiver.url)
        site.end("a1")
        with start(site) as process:
            wait_for(lambda: receiver.requests)
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        site.let_leases_run_out()
        receiver.release.set()
        with start(site, number=2):
            wait_for(lambda: site.states(hook) == ["delivered"])
    assert len({item.headers["webhook-id"] for item in receiver.requests}) == 1
    assert [item.error for item in site.log(hook)[0].attempts] == ["worker_lost", None]
