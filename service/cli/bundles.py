"""`hilbert bundle`: verify and show a bundle, and manage the installed ones."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from service.cli.bundle_store import BundleStore
from service.cli.settings import exit_on_refusal, read_settings

DEFAULT_SHELF = Path("/srv/bundles")
Folder = Annotated[Path | None, typer.Argument(help="Folder of the bundle; default: HILBERT_BUNDLE.")]
Shelf = Annotated[Path, typer.Option(help="Folder that holds the bundles.")]

bundle_app = typer.Typer(help="Look at a bundle and verify it.", no_args_is_help=True)


@bundle_app.command("verify")
def verify_bundle(folder: Folder = None) -> None:
    """Check signature, digests and golden recording, as a worker does; status 1 when the bundle is refused."""
    from service.cli import bundle_report

    settings = read_settings(bundle=folder)
    with exit_on_refusal():
        usable = bundle_report.verify_bundle(settings.bundle, settings, Console(soft_wrap=True))
    raise typer.Exit(0 if usable else 1)


@bundle_app.command("show")
def show_bundle(folder: Folder = None) -> None:
    """Print what a bundle says of itself: tasks, encoders, signature, files."""
    from model.errors import BundleError
    from service.cli import bundle_report

    settings = read_settings(bundle=folder)
    try:
        with exit_on_refusal():
            bundle_report.show_bundle(settings.bundle, settings, Console(soft_wrap=True))
    except BundleError as error:
        Console(stderr=True, soft_wrap=True).print(f"{error.detail}. {error.advice}", markup=False)
        raise typer.Exit(1) from error


@bundle_app.command("install")
def install_bundle(
    source: Annotated[str, typer.Argument(help="Folder of the bundle, or - for a tar archive from standard input.")],
    shelf: Shelf = DEFAULT_SHELF,
) -> None:
    """Copy a bundle beside the others if it can be used here, as `verify` says; print its name."""
    from service.cli.bundle_report import verify_bundle as is_usable

    settings = read_settings()
    # Standard output carries the name alone, so that scripts can pass it on to `activate`.
    report = Console(stderr=True, soft_wrap=True)
    with exit_on_refusal():
        stream = sys.stdin.buffer if source == "-" else Path(source)
        typer.echo(BundleStore(shelf).install(stream, lambda folder: is_usable(folder, settings, report)))


@bundle_app.command("activate")
def activate_bundle(
    name: Annotated[str, typer.Argument(help="Its name, as `bundle list` shows it.")], shelf: Shelf = DEFAULT_SHELF
) -> None:
    """Let workers that start from now on load this bundle."""
    with exit_on_refusal():
        BundleStore(shelf).activate(name)


@bundle_app.command("rollback")
def roll_back_bundle(shelf: Shelf = DEFAULT_SHELF) -> None:
    """Let workers that start from now on load the bundle that was active before; print its name."""
    with exit_on_refusal():
        typer.echo(BundleStore(shelf).roll_back())


@bundle_app.command("list")
def list_bundles(shelf: Shelf = DEFAULT_SHELF) -> None:
    """List the installed bundles, which one is current and which was before."""
    for bundle in BundleStore(shelf).bundles():
        typer.echo(f"{bundle.name}{'  current' * bundle.current}{'  previous' * bundle.previous}")
