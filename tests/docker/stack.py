"""A running compose stack, spoken to as an operator does: by `docker compose` and through the proxy."""

import json
import os
import re
import secrets
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.processes import free_port

ROOT = Path(__file__).resolve().parents[2]
KEY = re.compile(r"hil_[a-z0-9]{8}_[A-Za-z0-9_-]{43}")
FINAL = {"succeeded", "abstained", "failed", "cancelled"}
LONG_RUNNING = ("proxy", "balancer", "api", "prepare", "encode", "score", "deliver", "redis", "postgres")
WORKERS = ("prepare", "encode", "score", "deliver")


def run(*command: object, within: float = 120, environment: Mapping[str, str] | None = None) -> str:
    """What a command printed; its complaint is the assertion's message."""
    done = _ended(command, within, environment)
    assert done.returncode == 0, f"{' '.join(map(str, command))} ended with {done.returncode}:\n{done.stderr[-2000:]}"
    return done.stdout


def _ended(
    command: Sequence[object], within: float, environment: Mapping[str, str] | None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(part) for part in command],
        cwd=ROOT,
        env={**os.environ, **(environment or {})},
        capture_output=True,
        text=True,
        timeout=within,
        check=False,
    )


class Stack:
    """The stack of this repository's compose file, or of those that COMPOSE_FILE names.

    What `environment` adds says which one is meant, as for the scripts of `deploy`.
    """

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        self.environment = dict(environment or {})
        published = {**os.environ, **self.environment}.get("HILBERT_PUBLISH", "127.0.0.1:8000")
        self.url = f"http://{published if ':' in published else f'127.0.0.1:{published}'}"

    def run(self, *command: object, within: float = 600) -> str:
        """What a command about this stack printed."""
        return run(*command, within=within, environment=self.environment)

    def refused(self, *command: object, within: float = 600, **environment: str) -> str:
        """The complaint with which a command about this stack ends."""
        done = _ended(command, within, {**self.environment, **environment})
        assert done.returncode == 1, f"{' '.join(map(str, command))} ended with {done.returncode}"
        return done.stderr

    def compose(self, *arguments: object, within: float = 120) -> str:
        """`docker compose ...`."""
        return self.run("docker", "compose", *arguments, within=within)

    def containers(self, *services: str) -> list[dict]:
        """What `docker inspect` says of the running containers of these services, or of all."""
        ids = self.compose("ps", "-q", *services).split()
        return json.loads(run("docker", "inspect", *ids)) if ids else []

    def image(self, service: str) -> dict:
        """What `docker inspect` says of the image of a service."""
        return json.loads(run("docker", "image", "inspect", self.containers(service)[0]["Image"]))[0]

    def missing(self) -> list[str]:
        """Services that do not run."""
        running = set(self.compose("ps", "--services", "--status", "running").split())
        return [service for service in LONG_RUNNING if service not in running]

    def inside(self, service: str, *command: object) -> str:
        """What a command prints inside a container."""
        return self.compose("exec", "-T", service, *command)

    def new_key(self, name: str) -> str:
        """A key of a tenant that nobody else has."""
        found = KEY.search(
            self.inside("api", "hilbert", "keys", "create", name, "--tenant", f"{name}-{secrets.token_hex(4)}")
        )
        assert found is not None
        return found.group()

    def client(self, key: str) -> httpx.Client:
        """A client of the proxy."""
        headers = {"Authorization": f"Bearer {key}"}
        return httpx.Client(base_url=self.url, headers=headers, timeout=60, trust_env=False)

    def wait_until_ready(self, within: float = 120) -> float:
        """Seconds until the whole service says that it can work."""
        begun = time.monotonic()
        with httpx.Client(base_url=self.url, timeout=10, trust_env=False) as http:
            while time.monotonic() < begun + within:
                try:
                    if http.get("/healthz").status_code == httpx.codes.OK:
                        return time.monotonic() - begun
                except httpx.TransportError:
                    pass
                time.sleep(0.2)
        raise AssertionError(f"not ready within {within} s")


@contextmanager
def stack_of_its_own(folder: Path, **environment: str) -> Iterator[Stack]:
    """A stack with secrets, volumes and a port of its own, not started; nothing of it is left afterwards."""
    port = free_port()
    stack = Stack(
        {
            "COMPOSE_PROJECT_NAME": f"hilbert-test-{port}",
            "HILBERT_SECRETS": str(folder / "secrets"),
            "HILBERT_PUBLISH": f"127.0.0.1:{port}",
            **environment,
        }
    )
    stack.run("deploy/make-secrets", folder / "secrets")
    try:
        yield stack
    finally:
        stack.compose("down", "-v", "--timeout", "5", "--remove-orphans")


def finished(client: httpx.Client, location: str, within: float = 300) -> dict:
    """The assessment in its final state."""
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        found = client.get(location, headers={"Prefer": "wait=20"}).raise_for_status().json()
        if found["state"] in FINAL:
            return found
    raise AssertionError(f"not finished within {within} s: {found['state']}")


def silence() -> bytes:
    """Ten seconds in which nobody speaks: WAV, 16 kHz."""
    size = 2 * 160_000
    head = b"RIFF" + (36 + size).to_bytes(4, "little") + b"WAVEfmt " + (16).to_bytes(4, "little")
    form = b"\x01\x00\x01\x00" + (16_000).to_bytes(4, "little") + (32_000).to_bytes(4, "little") + b"\x02\x00\x10\x00"
    return head + form + b"data" + size.to_bytes(4, "little") + bytes(size)
