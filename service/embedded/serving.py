"""Run the whole service on one machine, for `hilbert serve`, the benchmarks and the tests."""

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
    """A running service; `first_key` is set when its database held no API key before."""

    url: str
    first_key: str | None
    settings: Settings
    supervisor: Supervisor


@contextmanager
def running_service(settings: Settings, worker_command: tuple[str, ...] = WORKER_COMMAND) -> Iterator[RunningService]:
    """Start API and workers, wait until they are ready, and stop them all at the end of the block.

    `worker_command` starts a worker; `--queues` and `--parent-pid` are appended. Raises ConfigurationRefused when the
    folder is in use, the port is taken, or a child refuses its settings.
    """
    # The lock first: a second service must not migrate, or start workers on, a database that is in use.
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
    """Return when /healthz succeeds. Raises ConfigurationRefused after `within`, or when a child keeps failing."""
    deadline = monotonic() + within.total_seconds()
    while monotonic() < deadline:
        service.supervisor.raise_if_refused()
        if _is_healthy(service.url):
            return
        if service.supervisor.crash_looping:
            break
        sleep(POLL_SECONDS)
    raise ConfigurationRefused(f"The service did not become ready; see its logs in {service.settings.folder / 'logs'}.")


def wait_for_signal(service: RunningService) -> None:
    """Return after SIGINT or SIGTERM. Raises ConfigurationRefused when a child refuses its settings."""
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
    # By default one worker serves all queues: encoding uses every core, so a second process would load the model twice
    # without being faster, and chunks are short, so that no stage waits long behind another.
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


def _metrics_port(settings: Settings, offset: int) -> dict[str, str]:
    """The metrics port of a child: the API has the configured port, each worker the next one."""
    if not settings.metrics_port:  # None: no exposition; 0: a free port for each child
        return {}
    return {"HILBERT_METRICS_PORT": str(settings.metrics_port + offset)}


@contextmanager
def _listening(settings: Settings) -> Iterator[socket.socket]:
    """The listening socket of the API, opened by the parent: a taken port fails at once, and connections queue here
    while the API restarts.
    """
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        # A port whose last connections are still in TIME_WAIT can be bound again at once.
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
