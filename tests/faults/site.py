"""A whole service whose every part can be killed, stopped, restarted or filled up while it works."""

import json
import os
import re
import secrets
import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from redis import Redis

from service.setting_groups import REPOSITORY
from service.storage.database import Database
from service.storage.objects import ObjectStore
from tests.processes import running
from tests.servers import Server, postgresql_server, redis_server

SHOWN = re.compile(r"^(http://\S+) (hil_\S+)$", re.MULTILINE)


@dataclass(slots=True, kw_only=True)
class Part:
    """A server that can be ended and started again on the same port and data."""

    server: Server
    _open: ExitStack = field(default_factory=ExitStack)
    pid: int = 0

    def start(self) -> None:
        self.pid = self._open.enter_context(self.server.running()).pid

    def end(self, *, killed: bool = False) -> None:
        if killed:
            os.killpg(self.pid, signal.SIGKILL)
        self._open.close()


@dataclass(slots=True, kw_only=True)
class Site:
    """Redis, PostgreSQL and `hilbert serve` with several workers, and where their traces are."""

    folder: Path
    redis: Part
    postgresql: Part
    database_url: str
    settings: dict[str, str]
    url: str = ""
    key: str = ""
    pid: int = 0
    database: Database = None

    @property
    def objects(self) -> ObjectStore:
        return ObjectStore(self.settings["HILBERT_OBJECT_STORE_URL"])

    @property
    def objects_folder(self) -> Path:
        return Path(self.settings["HILBERT_OBJECT_STORE_URL"].removeprefix("file://"))

    @property
    def broker(self) -> Redis:
        return Redis(port=self.redis.server.port, socket_timeout=5)

    def children(self, word: str) -> list[int]:
        """Process ids of the service's children whose command line holds the word."""
        names = (path.name for path in Path("/proc").iterdir())
        return [pid for pid in map(int, filter(str.isdigit, names)) if self._is_child(pid, word)]

    def _is_child(self, pid: int, word: str) -> bool:
        try:
            parent = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
            return parent == self.pid and word in Path(f"/proc/{pid}/cmdline").read_text()
        except (FileNotFoundError, ProcessLookupError):
            return False

    def log_lines(self, event: str) -> list[dict]:
        """Lines of this event in every worker's log."""
        lines_of_event = []
        for log in sorted((self.folder / "logs").glob("worker-*.log*")):
            lines = (line for line in log.read_text(errors="replace").splitlines() if line.startswith("{"))
            lines_of_event += [line for line in map(_parsed, lines) if line.get("event") == event]
        return lines_of_event


def _parsed(line: str) -> dict:
    try:
        return json.loads(line)
    except ValueError:  # cut off by a kill
        return {}


def _environment(site_settings: dict[str, str]) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("HILBERT_")}
    return {**inherited, "PYTHONUNBUFFERED": "1", **site_settings}


@contextmanager
def open_site(folder: Path, *, workers: int = 2, store: Path | None = None, **settings: str) -> Iterator[Site]:
    """The site, ready for work; `store` is the folder of the object store, `settings` are the service's by name."""
    (folder / "redis").mkdir(parents=True)
    with postgresql_server("fsync=on") as cluster, ExitStack() as closing:
        site = Site(
            folder=folder,
            redis=Part(server=redis_server(folder / "redis")),
            postgresql=Part(server=cluster),
            database_url=f"postgresql+psycopg://hilbert@127.0.0.1:{cluster.port}/hilbert",
            settings={
                "HILBERT_DATA_DIR": str(folder),
                "HILBERT_PORT": "0",
                "HILBERT_ENVIRONMENT": "embedded",
                "HILBERT_OBJECT_STORE_URL": (store or folder / "objects").as_uri(),
                "HILBERT_PEPPERS": json.dumps({"1": secrets.token_urlsafe(32)}),
                "HILBERT_WORKERS": json.dumps([*["prepare,encode,score"] * workers, "deliver"]),
                **{f"HILBERT_{name.upper()}": value for name, value in settings.items()},
            },
        )
        for part in (site.postgresql, site.redis):
            part.start()
            closing.callback(part.end)
        with psycopg.connect(f"postgresql://hilbert@127.0.0.1:{cluster.port}/postgres", autocommit=True) as connection:
            connection.execute("CREATE DATABASE hilbert")
        site.settings["HILBERT_DATABASE_URL"] = site.database_url
        site.settings["HILBERT_BROKER_URL"] = f"redis://127.0.0.1:{site.redis.server.port}/0"
        site.database = Database(site.database_url)
        closing.callback(site.database.close)
        closing.enter_context(_serving(site))
        yield site


@contextmanager
def _serving(site: Site) -> Iterator[None]:
    log = site.folder / "serve.log"
    command = (sys.executable, "-m", "tests.faults.serve")
    options: dict[str, Any] = {"cwd": REPOSITORY, "env": _environment(site.settings)}
    with running(command, log, until=lambda: SHOWN.search(log.read_text()), **options) as process:
        site.pid = process.pid
        site.url, site.key = SHOWN.search(log.read_text()).groups()
        yield
