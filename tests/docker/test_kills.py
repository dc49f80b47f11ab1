"""Each service is killed under load, in both ways a container can be; nobody lends a hand, and nothing is lost."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator

import pytest

from tests.docker.load import Load
from tests.docker.stack import LONG_RUNNING, ROOT

SETTLED_WITHIN = 120
KEEPING_SECONDS = 5


@pytest.fixture(scope="module", autouse=True)
def keeper(stack) -> Iterator[None]:
    """What hilbert-keep.service runs."""
    process = subprocess.Popen((ROOT / "deploy" / "keep", str(KEEPING_SECONDS)), cwd=ROOT, start_new_session=True)
    yield
    os.killpg(process.pid, signal.SIGTERM)
    process.wait()


def kill_processes(stack, service):
    """The main process of each of its containers dies, as by the kernel's hand."""
    if os.getuid() != 0:
        pytest.skip("killing a container's process from the host needs root")
    for container in stack.containers(service):
        os.kill(container["State"]["Pid"], signal.SIGKILL)


def kill_containers(stack, service):
    stack.compose("kill", service)


def runs(stack, service):
    """Each container of the service with the moment of its start, and whether it is healthy."""
    containers = stack.containers(service)
    return {(c["Id"], c["State"]["StartedAt"]): c["State"].get("Health", {}).get("Status") for c in containers}


def healthy_again(stack, service, before):
    """Seconds until as many containers of the service as there were are healthy, all of them started anew."""
    begun = time.monotonic()
    while time.monotonic() < begun + SETTLED_WITHIN:
        states = runs(stack, service)
        if list(states.values()) == ["healthy"] * len(before) and not states.keys() & before.keys():
            return time.monotonic() - begun
        time.sleep(0.25)
    raise AssertionError(f"{service} did not come back: {states}")


@pytest.mark.timeout(900)
@pytest.mark.parametrize("kill", [kill_processes, kill_containers])
@pytest.mark.parametrize("service", LONG_RUNNING)
def test_a_killed_service_comes_back_by_itself_and_nothing_is_lost(stack, service, kill):
    before = runs(stack, service)
    with Load(stack, clients=3) as load:
        time.sleep(3)
        kill(stack, service)
        back = healthy_again(stack, service, before)
        ready = back + stack.wait_until_ready(SETTLED_WITHIN)
        time.sleep(3)
    lost, counts = load.lost(), load.counts
    print(  # noqa: T201
        f"\n{service:9} {kill.__name__:16} healthy {back:5.1f} s, ready {ready:5.1f} s, {counts.requests} requests, "
        f"{len(counts.accepted)} accepted, {len(lost)} lost, {len(counts.failed)} given up, sent again {counts.retried}"
    )
    assert not lost
    assert not counts.failed
