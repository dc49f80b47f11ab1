"""What an auditor looks at: accounts, file systems, secrets, contents and sizes of images."""

import json
import os
import subprocess

import pytest

from tests.docker.stack import LONG_RUNNING, ROOT, WORKERS, run

MEGABYTE = 1_000_000
SIZES = {"api": 250, "encode": 700}
"""Most that an image may add to its base, in MB."""
PYTHON = os.environ.get("PYTHON_IMAGE", "python:3.11-slim-bookworm")
SECRETS = ROOT / "deploy" / "secrets"


@pytest.fixture(params=LONG_RUNNING)
def containers(stack, request):
    return stack.containers(request.param)


def test_no_container_may_do_more_than_its_work(containers):
    for container in containers:
        host = container["HostConfig"]
        assert host["ReadonlyRootfs"]
        assert host["CapDrop"] == ["ALL"]
        assert not host["CapAdd"]
        assert not host["Privileged"]
        assert "no-new-privileges:true" in host["SecurityOpt"]
        assert host["Memory"] > 0
        assert host["PidsLimit"] > 0
        assert host["RestartPolicy"]["Name"] == "unless-stopped"
        assert container["State"]["Health"]["Status"] == "healthy"


def test_no_process_runs_as_root(containers):
    for container in containers:
        assert run("docker", "exec", container["Id"], "id", "-u").strip() != "0"


def test_no_secret_shows_in_what_the_engine_tells_of_a_container(containers):
    secrets = [file.read_text() for file in SECRETS.iterdir()]
    assert len(secrets) >= 5
    for container in containers:
        told = json.dumps(container) + run("docker", "top", container["Id"])
        assert not [secret for secret in secrets if secret in told]


def test_its_own_root_cannot_be_written_to(stack):
    for service in ("api", *WORKERS):
        written = subprocess.run(
            ("docker", "compose", "exec", "-T", service, "touch", "/opt/hilbert/x"),
            cwd=ROOT,
            capture_output=True,
            check=False,
        )
        assert written.returncode != 0


def test_only_the_proxy_can_be_reached_from_the_host(stack):
    published = {
        service: [port for container in stack.containers(service) for port in container["HostConfig"]["PortBindings"]]
        for service in LONG_RUNNING
    }
    assert {service for service, ports in published.items() if ports} == {"proxy"}


def test_only_what_delivers_reaches_the_world(stack):
    """The others are on networks without a way out, or (the proxy, the API's front) connect to nobody by themselves."""
    internal = {n["Name"]: n["Internal"] for n in json.loads(run("docker", "network", "inspect", *networks(stack)))}
    for service in ("prepare", "encode", "score", "redis", "postgres"):
        for container in stack.containers(service):
            assert all(internal[name] for name in container["NetworkSettings"]["Networks"])


def networks(stack):
    return {name for c in stack.containers(*LONG_RUNNING) for name in c["NetworkSettings"]["Networks"]}


@pytest.mark.parametrize("service", ["api", "encode"])
def test_an_image_holds_a_bill_of_materials_and_no_compiler(stack, service):
    bill = json.loads(stack.inside(service, "cat", "/opt/venv/share/sbom.cdx.json"))
    listed = {component["name"] for component in bill["components"]}
    assert bill["bomFormat"] == "CycloneDX"
    assert {"sqlalchemy", "celery"} <= {name.lower() for name in listed}
    assert "tini" in stack.inside(service, "cat", "/usr/share/sbom/debian.txt")
    found = stack.inside(service, "sh", "-c", "for tool in cc gcc g++ make cargo; do command -v $tool || true; done")
    assert found == ""
    assert stack.inside(service, "sh", "-c", "ls /opt/venv/lib/python3*/site-packages | grep -ix pip || true") == ""


@pytest.mark.parametrize("service", sorted(SIZES))
def test_an_image_stays_small(stack, service, record_property):
    base = json.loads(run("docker", "image", "inspect", PYTHON))[0]["Size"]
    added = (stack.image(service)["Size"] - base) / MEGABYTE
    print(f"{service}: {added:.0f} MB over {PYTHON}, of {SIZES[service]}")  # noqa: T201
    assert added <= SIZES[service]
