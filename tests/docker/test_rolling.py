"""Each service is replaced under load by `deploy/roll.sh`: no request fails and nothing is lost."""

import time

import pytest

from tests.docker.load import Load
from tests.docker.stack import LONG_RUNNING, run


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("service", LONG_RUNNING)
def test_a_service_is_replaced_under_load(stack, service):
    before = {container["Id"] for container in stack.containers(service)}
    with Load(stack, clients=4) as load:
        time.sleep(3)
        begun = time.monotonic()
        run("deploy/roll.sh", service, within=600)
        took = time.monotonic() - begun
        time.sleep(3)
    report(service, took, load)
    if service != "proxy":  # it reads its configuration again instead
        assert not before & {container["Id"] for container in stack.containers(service)}


@pytest.mark.timeout(1200)
def test_postgresql_restarts_again_and_again_under_many_clients(stack):
    begun = time.monotonic()
    with Load(stack, clients=8, pause=0.05) as load:
        for _ in range(4):
            time.sleep(3)
            run("deploy/roll.sh", "postgres", within=600)
        time.sleep(3)
    report("postgres 4 times", time.monotonic() - begun, load)


def report(what, took, load):
    lost, counts = load.lost(), load.counts
    print(  # noqa: T201
        f"\n{what:9} {took:5.1f} s, {counts.requests} requests, {len(counts.accepted)} accepted, {len(lost)} lost, "
        f"{len(counts.failed)} given up, sent again {counts.retried}, longest {counts.slowest:.1f} s"
    )
    assert not lost
    assert not counts.failed
    assert not counts.retried
