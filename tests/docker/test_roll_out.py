"""Another bundle is rolled out under load and rolled back; what cannot work is never switched to."""

import hashlib
import json
import shutil
import time
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from model.bundle.bundle import open_bundle, seal
from model.bundle.manifest import MANIFEST, SIGNATURE
from model.bundle.signature import write_signature
from tests.docker.load import TRANSCRIPT, Load
from tests.docker.stack import ROOT, finished, stack_of_its_own

EXAMPLE = ROOT / "examples" / "bundle"
SHIPPED_KEY = "/opt/hilbert/examples/bundle.pub"
SCORERS = ("prepare", "encode", "score")
pytestmark = pytest.mark.timeout(1500)


def digest(bundle):
    return hashlib.sha256((bundle / MANIFEST).read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def signing_key():
    return Ed25519PrivateKey.generate()


@pytest.fixture(scope="module")
def next_bundle(signing_key, tmp_path_factory):
    """The example's bundle under another version, signed by somebody else."""
    folder = shutil.copytree(EXAMPLE, tmp_path_factory.mktemp("bundles") / "next")
    (folder / SIGNATURE).unlink()
    manifest = open_bundle(EXAMPLE).manifest
    seal(folder, manifest.model_copy(update={"version": "next"}))
    write_signature(folder, signing_key, datetime.now(UTC))
    return folder


@pytest.fixture(scope="module")
def stack(signing_key, tmp_path_factory):
    public = signing_key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    trusted = json.dumps([SHIPPED_KEY, public])
    with stack_of_its_own(tmp_path_factory.mktemp("stack"), HILBERT_TRUSTED_KEYS=trusted) as stack:
        stack.compose("up", "-d", "--wait", within=300)
        yield stack


@pytest.fixture(scope="module")
def http(stack):
    with stack.client(stack.new_key("roll-out")) as http:
        yield http


def scored_by(http):
    """The digest of the bundle that scores what is submitted now."""
    answer = http.post("/v1/assessments", files={"transcript": TRANSCRIPT}).raise_for_status()
    found = finished(http, answer.headers["location"])
    assert found["state"] == "succeeded", found
    return found["result"]["model"]["digest"]


def current(stack):
    (line,) = [line for line in stack.run("deploy/bundle.sh", "list").splitlines() if " current" in line]
    return line.split()[0]


def timed(action, *arguments):
    begun = time.monotonic()
    action(*arguments)
    return time.monotonic() - begun


def ids(stack, *services):
    return {container["Id"] for container in stack.containers(*services)}


def test_a_bundle_is_rolled_out_under_load_and_rolled_back_by_one_command(stack, http, next_bundle):
    shipped, workers = current(stack), ids(stack, *SCORERS)
    with Load(stack, clients=2) as load:
        assert scored_by(http) == digest(EXAMPLE)
        name = stack.run("deploy/bundle.sh", "install", next_bundle).strip().splitlines()[-1]
        assert current(stack) == shipped
        forth = timed(stack.run, "deploy/bundle.sh", "activate", name)
        assert scored_by(http) == digest(next_bundle)
        assert not workers & ids(stack, *SCORERS)
        back = timed(stack.run, "deploy/bundle.sh", "rollback")
        assert scored_by(http) == digest(EXAMPLE)
        assert current(stack) == shipped
    counts, lost = load.counts, load.lost()
    print(  # noqa: T201
        f"\nactivate {forth:.0f} s, rollback {back:.0f} s, {counts.requests} requests, "
        f"{len(counts.accepted)} accepted, {len(lost)} lost, sent again {counts.retried}"
    )
    assert not lost
    assert not counts.failed
    assert not counts.retried


def test_a_bundle_that_breaks_after_its_installation_is_never_switched_to(stack, http, next_bundle):
    name = stack.run("deploy/bundle.sh", "install", next_bundle).strip().splitlines()[-1]
    broken = f"/srv/bundles/{name}/network.onnx"
    stack.compose("run", "--rm", "--no-deps", "-T", "--entrypoint", "sh", "prepare", "-c", f"echo >>{broken}")
    before, shipped = ids(stack, *SCORERS), current(stack)
    assert "never stopped" in stack.refused("deploy/bundle.sh", "activate", name, ROLL_WITHIN="60")
    assert current(stack) == shipped
    assert ids(stack, *SCORERS) == before
    assert scored_by(http) == digest(EXAMPLE)


@pytest.mark.parametrize("service", ["api", "score"])
def test_containers_that_do_not_become_healthy_replace_nothing(stack, http, service, tmp_path):
    before = ids(stack, service)
    mistaken = tmp_path / "mistaken.yml"
    mistaken.write_text(json.dumps({"services": {service: {"environment": {"HILBERT_DRAIN_DELAY": "half an hour"}}}}))
    files = f"docker-compose.yml:{mistaken}"
    said = stack.refused("deploy/roll.sh", service, ROLL_WITHIN="45", COMPOSE_FILE=files)
    assert "the old ones go on" in said
    assert ids(stack, service) == before
    assert scored_by(http) == digest(EXAMPLE)
