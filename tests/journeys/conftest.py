"""The whole service as real processes: once on its embedded defaults, once on Redis, PostgreSQL and S3."""

import json
import os
import re
import secrets
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from service.settings import Settings
from service.storage.objects import ObjectStore, open_objects
from tests.processes import running
from tests.waiting import wait_for

ROOT = Path(__file__).resolve().parents[2]
FINAL = {"succeeded", "abstained", "failed", "cancelled"}
URL = re.compile(r"answers at +(http://\S+)")
KEY = re.compile(r"hil_[a-z0-9]{8}_[A-Za-z0-9_-]{43}")


@dataclass(frozen=True, kw_only=True)
class Service:
    """A running `hilbert serve`: where it answers, its first key, its folder, and the CLI beside it."""

    url: str
    folder: Path
    log: Path
    environment: dict[str, str]
    bucket: ObjectStore | None = None

    def stored(self) -> dict[str, bytes]:
        """Everything in the object store; in a folder also what is half written."""
        if self.bucket is not None:
            return {key: self.bucket.get(key) for key in self.bucket.list("")}
        files = (path for path in (self.folder / "objects").rglob("*") if path.is_file())
        return {str(path.relative_to(self.folder)): path.read_bytes() for path in files}

    def logs(self) -> list[Path]:
        """What the supervisor and each of its children wrote."""
        return [self.log, *(self.folder / "logs").glob("*.log*")]

    def hilbert(self, *arguments: str) -> str:
        """What `hilbert ...` prints, run with this service's settings."""
        command = (sys.executable, "-m", "service.cli.app", *arguments)
        done = subprocess.run(
            command, cwd=ROOT, env=self.environment, capture_output=True, text=True, timeout=180, check=False
        )
        assert done.returncode == 0, f"hilbert {' '.join(arguments)} ended with {done.returncode}:\n{done.stderr}"
        return done.stdout

    def key(self, name: str) -> str:
        """A new key of a tenant of its own."""
        return KEY.search(self.hilbert("keys", "create", name, "--tenant", name)).group()

    def client(self, key: str | None) -> "Client":
        return Client(self.url, key)

    def first_client(self) -> "Client":
        """A client with the key that the first start of an embedded service showed."""
        return self.client(KEY.search(self.log.read_text()).group())


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
        return wait_for(lambda: self._final(location), seconds, every=0.1)

    def _final(self, location: str) -> dict | None:
        response = self.http.get(location)
        assert response.status_code == 200, response.text
        return response.json() if response.json()["state"] in FINAL else None

    def assess(self, **material) -> dict:
        return self.finish(self.submit(**material))

    def result(self, **material) -> dict:
        """The result of material that can be scored."""
        assessment = self.assess(**material)
        assert assessment["state"] == "succeeded", assessment["error"] or assessment["result"]["quality"]
        return assessment["result"]


def environment(folder: Path, **settings: str) -> dict[str, str]:
    """This process's environment with these settings of the service and no others."""
    inherited = {name: value for name, value in os.environ.items() if not name.upper().startswith("HILBERT_")}
    own = {f"HILBERT_{name.upper()}": value for name, value in settings.items()}
    return {**inherited, "HILBERT_DATA_DIR": str(folder), "PYTHONUNBUFFERED": "1", **own}


def address(log: Path) -> str | None:
    """Where the service says that it answers."""
    shown = URL.search(log.read_text())
    return shown.group(1) if shown else None


def is_ready(log: Path) -> bool:
    url = address(log)
    if url is None:
        return False
    try:
        return httpx.get(f"{url}/healthz", timeout=5, trust_env=False).is_success
    except httpx.TransportError:
        return False


@pytest.fixture(scope="package")
def postgres_url(postgresql):
    """An empty database, which the service migrates itself."""
    return postgresql.create_database("journeys")


@contextmanager
def serving(folder: Path, bucket: ObjectStore | None = None, **settings: str):
    """`hilbert serve` with these settings, ready, and stopped in order afterwards."""
    log, own = folder / "serve.log", environment(folder, port="0", **settings)
    command = (sys.executable, "-m", "service.cli.app", "serve")
    with running(command, log, until=lambda: is_ready(log), cwd=ROOT, env=own):
        yield Service(url=address(log), folder=folder, log=log, environment=own, bucket=bucket)


@pytest.fixture(scope="package")
def embedded(tmp_path_factory):
    """The service as `hilbert serve` starts it for anyone."""
    with serving(tmp_path_factory.mktemp("embedded")) as service:
        yield service


@pytest.fixture(scope="package")
def production(tmp_path_factory, redis_url, postgres_url, s3):
    """The same program with production's settings, on Redis, PostgreSQL and S3."""
    place = {"object_store_url": "s3://journeys/hilbert", **s3.bucket("journeys").settings()}
    settings = {
        **place,
        "environment": "production",
        "database_url": postgres_url,
        "broker_url": redis_url,
        "peppers": json.dumps({"1": secrets.token_urlsafe(32)}),
        "trusted_keys": json.dumps([str(ROOT / "examples" / "bundle.pub")]),
    }
    with serving(tmp_path_factory.mktemp("production"), open_objects(Settings(**place)), **settings) as service:
        yield service


@pytest.fixture(params=["embedded", "production"])
def service(request):
    """Both, one after the other."""
    return request.getfixturevalue(request.param)


@pytest.fixture
def client(embedded):
    """A client of the embedded service, with the key that its first start showed."""
    return embedded.first_client()


@pytest.fixture(scope="session")
def interview() -> dict[str, bytes]:
    """The example recording and its timed transcript."""
    examples = ROOT / "examples"
    return {
        "audio": (examples / "interview.flac").read_bytes(),
        "transcript": (examples / "interview.vtt").read_bytes(),
    }
