"""`hilbert serve`, `worker`, `api` and `migrate`: the processes of the service and its database."""

from __future__ import annotations

import os
import signal
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from service.cli.settings import exit_with, raise_interrupt, read_settings
from service.embedded.serving import RunningService, running_service, wait_for_signal
from service.errors.tree import ConfigurationRefused
from service.observability.logs import configure_logging
from service.settings import Settings

if TYPE_CHECKING:
    from service.worker.model_protocol import AssessmentModel

ParentPid = Annotated[int | None, typer.Option("--parent-pid", hidden=True, help="End with this process.")]
ALL_QUEUES = "prepare,encode,score"


def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on; default 127.0.0.1.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; 0 takes a free one.")] = None,
    data_dir: Annotated[Path | None, typer.Option(help="Folder of database, queue, objects and logs.")] = None,
    bundle: Annotated[Path | None, typer.Option(help="Folder of the bundle to load.")] = None,
) -> None:
    """Start API, workers and sweeper on this machine, and stop them on Ctrl-C."""
    settings = read_settings(host=host, port=port, data_dir=data_dir, bundle=bundle)
    signal.signal(signal.SIGTERM, raise_interrupt)
    console = Console()
    console.print("Starting HILBERT ...")
    try:
        with running_service(settings) as service:
            console.print(_startup_message(service), soft_wrap=True, highlight=False)
            wait_for_signal(service)
            console.print("Stopping ...")
            # A second Ctrl-C must not cut the orderly stop of the children short.
            signal.signal(signal.SIGINT, signal.SIG_IGN)
    except KeyboardInterrupt:
        console.print("Stopped before it was ready.")
    except ConfigurationRefused as error:
        exit_with(error.detail)


def worker(
    queues: Annotated[str, typer.Option(help="Queues to serve, comma-separated.")] = ALL_QUEUES,
    parent_pid: ParentPid = None,
) -> None:
    """Serve stages from the queues until a signal; the queue `deliver` needs a worker of its own."""
    from service.worker.main import start_worker

    raise typer.Exit(start_worker(read_settings(), queues, parent_pid, _open_model))


def api(
    listen_fd: Annotated[int | None, typer.Option("--listen-fd", hidden=True)] = None,
    parent_pid: ParentPid = None,
) -> None:
    """Serve HTTP alone, for deployments that start workers by themselves."""
    from service.api.app import create_app
    from service.api.server import Server
    from service.observability.exposition import metrics_server
    from service.worker.parent_death import exit_with_parent

    if parent_pid is not None:
        exit_with_parent(parent_pid)
    configure_logging("api")
    settings = read_settings()
    try:
        with metrics_server(settings) as exposition:
            server = Server(create_app(settings, exposition), settings)
            server.run(sockets=None if listen_fd is None else [socket.socket(fileno=listen_fd)])
    except ConfigurationRefused as error:
        exit_with(error.detail)


def migrate() -> None:
    """Bring the database to the present schema."""
    from sqlalchemy.exc import OperationalError

    from service.storage import migration
    from service.storage.database import Database

    database = Database(read_settings().database)
    try:
        migration.migrate(database)
    except OperationalError:  # not printed: its message names hosts and accounts
        sys.stderr.write(
            "The database does not answer, rejects the login (see HILBERT_DATABASE_URL), or another transaction holds "
            "a lock on its tables. Nothing was changed.\n"
        )
        raise typer.Exit(os.EX_TEMPFAIL) from None
    finally:
        database.close()
    Console().print("The database is up to date.")


def _open_model(settings: Settings) -> AssessmentModel:
    """Imported late: a worker for the queue `deliver` runs without the libraries of the model."""
    from service.worker.model_adapter import open_model

    return open_model(settings)


def _startup_message(service: RunningService) -> str:
    key = "hilbert keys create NAME  makes another one"
    if service.first_key is not None:
        key = f"[bold]{service.first_key}[/bold]  (shown this once)"
    return (
        "\n"
        f"  HILBERT answers at  [bold]{service.url}[/bold]\n"
        f"  API key             {key}\n"
        f"  Documentation       {service.url}/docs\n"
        f"  Logs                {service.settings.folder / 'logs'}\n"
        "\n"
        "  Ctrl-C stops it."
    )
