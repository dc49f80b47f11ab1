"""A real API process that is told to stop while clients ask it."""

import asyncio
import signal
import sys
import threading
import time
from contextlib import ExitStack
from datetime import timedelta

import httpx
import pytest

from service.api.app import create_app
from service.api.server import Server
from service.setting_groups import REPOSITORY
from tests.processes import free_port, running
from tests.waiting import wait_for

API = (sys.executable, "-m", "service.cli.app", "api")


class Load:
    """Clients that keep their connections and ask one request after the other, as a load balancer does for others.

    It notices half a second late that a process is not ready any more.
    """

    def __init__(self, url, clients=4):
        self.url, self.failures, self.answers = url, [], 0
        self._threads = [threading.Thread(target=self._ask, daemon=True) for _ in range(clients)]
        for thread in self._threads:
            thread.start()

    def _ask(self):
        with httpx.Client(trust_env=False, timeout=10) as http:
            leaves = float("inf")
            while time.monotonic() < leaves:
                try:
                    answer = http.get(f"{self.url}/v1/assessments")
                except httpx.TransportError as error:
                    self.failures.append(repr(error))
                    return
                self.answers += 1
                if answer.status_code != 401:
                    self.failures.append(answer.status_code)
                if answer.headers.get("connection") == "close":
                    leaves = min(leaves, time.monotonic() + 0.5)

    def end(self):
        for thread in self._threads:
            thread.join(10)
        return self.failures


@pytest.fixture
def start_api(settings, tmp_path):
    with ExitStack() as closing:

        def start_api(**changes):
            port = free_port()
            url = f"http://127.0.0.1:{port}"
            own = settings.model_copy(update={"port": port, **changes})
            options = {"cwd": REPOSITORY, "env": own.child_environment()}
            process = closing.enter_context(
                running(API, tmp_path / "api.log", until=lambda: status(f"{url}/readyz") == 200, **options)
            )
            return url, process

        yield start_api


def status(url):
    try:
        return httpx.get(url, trust_env=False).status_code
    except httpx.TransportError:
        return None


def test_a_process_that_drains_fails_no_request_and_sends_load_balancers_away(start_api):
    url, process = start_api(drain_delay=timedelta(seconds=6))
    with httpx.Client(trust_env=False) as idle:
        assert "connection" not in idle.get(f"{url}/livez").headers
        load = Load(url)
        wait_for(lambda: load.answers > 20)
        process.send_signal(signal.SIGTERM)
        wait_for(lambda: status(f"{url}/readyz") == 503)
        assert idle.get(f"{url}/livez").headers["connection"] == "close"
    process.wait(90)
    assert load.end() == []


def test_an_interruption_does_not_drain(settings):
    server = Server(create_app(settings), settings.model_copy(update={"drain_delay": timedelta(minutes=1)}))
    server.handle_exit(signal.SIGINT, None)
    asyncio.run(asyncio.wait_for(server._drain(), 5))
    assert not server.force_exit


def test_a_second_signal_ends_the_drain_and_what_is_under_way(settings):
    server = Server(create_app(settings), settings.model_copy(update={"drain_delay": timedelta(minutes=1)}))
    server.handle_exit(signal.SIGTERM, None)
    assert not server.force_exit
    server.handle_exit(signal.SIGTERM, None)
    assert server.force_exit
    asyncio.run(asyncio.wait_for(server._drain(), 5))
