"""The whole service on one machine: `running_service` is behind `hilbert serve`, the demo and the tests."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from time import monotonic, sleep

from sqlalchemy.exc import OperationalError

from service.auth.keys import ApiKeyRepository, load_peppers
from service.embedded.supervisor import DataFolderLock, Program, Supervisor
from service.errors.tree import ConfigurationRefused
from service.setting_groups import REPOSITORY
from service.settings import Settings
from service.storage.database import Database
from service.storage.migration import migrate

HILBERT_COMMAND = (sys.executable, "-m", "service.cli.app")
WORKER_COMMAND = (*HILBERT_COMMAND, "worker")
BACKLOG = 128
READY_TIMEOUT = timedelta(minutes=2)
POLL_SECONDS = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningService:
    """A service that answers; `first_key` is set when its data folder held no key before."""

    url: str
    first_key: str | None
    settings: Settings
    supervisor: Supervisor


@contextmanager
def running_service(settings: Settings, worker_command: tuple[str, ...] = WORKER_COMMAND) -> Iterator[RunningService]:
    """Start API and workers, wait until they are ready, and stop them all at the end of the block.

    Raises ConfigurationRefused when the folder is in use, the port is taken, or a child refuses its settings.
    `worker_command` is what a worker is started with, before `--queues` and `--parent-pid`.
    """
    with DataFolderLock(settings.folder), _listening(settings) as listener:
        first_key = _prepare_database(settings)
        url = f"http://{_printable_host(settings.host)}:{listener.getsockname()[1]}"
        with Supervisor(
            programs=_programs(settings, listener, worker_command),
            environment=settings.child_environment(),
            working_directory=REPOSITORY,
            logs=settings.folder / "logs",
            grace=settings.stop_grace,
        ) as supervisor:
            service = RunningService(url=url, first_key=first_key, settings=settings, supervisor=supervisor)
            wait_until_ready(service)
            yield service


def wait_until_ready(service: RunningService, within: timedelta = READY_TIMEOUT) -> None:
    """Return once /healthz says that work can be done. Raises ConfigurationRefused, also when it takes too long."""
    deadline = monotonic() + within.total_seconds()
    while monotonic() < deadline:
        service.supervisor.raise_if_refused()
        if _is_healthy(service.url):
            return
        if service.supervisor.crash_looping:
            break
        sleep(POLL_SECONDS)
    raise ConfigurationRefused(
        f"The service did not become ready; its logs, in {service.settings.folder / 'logs'}, say why."
    )


def wait_for_signal(service: RunningService) -> None:
    """Serve until SIGINT or SIGTERM. Raises ConfigurationRefused when a child gives up."""
    stop = [False]

    def on_signal(_number: int, _frame: object) -> None:
        stop[0] = True

    signal.signal(signal.SIGINT, on_signal)
    signal.signal(signal.SIGTERM, on_signal)
    while not stop[0]:
        service.supervisor.raise_if_refused()
        sleep(POLL_SECONDS)


def _prepare_database(settings: Settings) -> str | None:
    database = Database(settings.database)
    try:
        migrate(database)
        keys = ApiKeyRepository(database, load_peppers(settings))
        if settings.environment == "production" or keys.all():
            return None
        return keys.issue(name="first start", tenant="default").secret
    except OperationalError:
        raise ConfigurationRefused("The database does not answer; check HILBERT_DATABASE_URL.") from None
    finally:
        database.close()


def _programs(settings: Settings, listener: socket.socket, worker_command: tuple[str, ...]) -> tuple[Program, ...]:
    # One worker for all queues is the default: encoding keeps every core busy, so a second process would hold
    # the model twice and only compete; chunks are short, so no request waits long behind another.
    parent = ("--parent-pid", str(os.getpid()))
    descriptor = listener.fileno()
    api = Program(
        name="api",
        command=(*HILBERT_COMMAND, "api", "--listen-fd", str(descriptor), *parent),
        inherited_fds=(descriptor,),
        environment=_metrics_port(settings, 0),
    )
    workers = tuple(
        Program(
            name=f"worker-{number}",
            command=(*worker_command, "--queues", queues, *parent),
            environment=_metrics_port(settings, number),
        )
        for number, queues in enumerate(settings.workers, start=1)
    )
    return (api, *workers)


def _metrics_port(settings: Settings, place: int) -> dict[str, str]:
    """Each child has a port of its own: the API the one of the settings, each worker the next one."""
    if not settings.metrics_port:  # none, or a free one for each
        return {}
    return {"HILBERT_METRICS_PORT": str(settings.metrics_port + place)}


@contextmanager
def _listening(settings: Settings) -> Iterator[socket.socket]:
    """The API's socket, opened here: a taken port is noticed at once, a restarted API misses no caller."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((settings.host, settings.port))
        except OSError as error:
            raise ConfigurationRefused(
                f"Cannot listen on {settings.host}:{settings.port} ({error.strerror}); "
                "set HILBERT_PORT to a free port, or to 0 for any."
            ) from None
        listener.listen(BACKLOG)
        yield listener


def _printable_host(host: str) -> str:
    if host in {"0.0.0.0", "::"}:  # noqa: S104 - read, not bound
        return "127.0.0.1"
    return f"[{host}]" if ":" in host else host


def _is_healthy(url: str) -> bool:
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=2)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
