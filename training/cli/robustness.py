"""The verb that measures how far a bundle's probabilities move under other recording conditions."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from training.cli.errors import refuse, text_console
from training.config import CONFIGS
from training.robustness.table import RobustnessTable

SETTINGS = CONFIGS / "robustness.yaml"


def add_verbs(app: typer.Typer) -> None:
    """Register the verb of this module."""
    app.command()(robustness)


def robustness(  # noqa: PLR0913, PLR0917 - the options of a command
    bundle: Annotated[Path, typer.Argument(exists=True, file_okay=False, help="Folder of the bundle.")],
    cohort: Annotated[Path, typer.Option(help="Manifest of the recordings; not those the bundle was trained on.")],
    out: Annotated[Path, typer.Option(file_okay=False, help="Folder of robustness.json, .html and .svg.")],
    config: Annotated[
        Path, typer.Option(exists=True, dir_okay=False, help="YAML file with conditions and bounds.")
    ] = SETTINGS,
    task: Annotated[str | None, typer.Option(help="The task; default: the first of the bundle.")] = None,
    most: Annotated[int | None, typer.Option(min=1, help="Use only the first so many recordings.")] = None,
    threads: Annotated[int, typer.Option(min=1, help="Threads of the encoders.")] = 2,
    add: Annotated[
        bool, typer.Option("--add", help="Add the table to the bundle and its card, if every bound is kept.")
    ] = False,
    key: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="Private key that signs the bundle after --add.")
    ] = None,
) -> None:
    """Score recordings under gain, noise, codecs, word errors and in halves; exit with 1 if a bound is broken."""
    from model.pipeline import Pipeline
    from training.cohort.manifest import read_cohort
    from training.robustness.files import write_measurement
    from training.robustness.measurement import RobustnessRun, measure_robustness, read_settings

    with refuse():
        recordings = read_cohort(cohort)
        with Pipeline.open(bundle, threads=threads) as pipeline:
            run = RobustnessRun(
                pipeline=pipeline,
                cohort=recordings if most is None else recordings.take(range(min(most, len(recordings)))),
                task=task or pipeline.manifest.tasks[0].name,
                settings=read_settings(config),
            )
            table = measure_robustness(run, Console())
        write_measurement(out, table)
    _print_table(table)
    problems = table.violations()
    for problem in problems:
        text_console().print(problem)
    if not problems and add:
        _add(bundle, table, key)
    raise typer.Exit(1 if problems else 0)


def _add(bundle: Path, table: RobustnessTable, key: Path | None) -> None:
    from training.release.robustness import add_robustness
    from training.release.signing_key import read_signing_key

    with refuse():
        signed = add_robustness(bundle, table, None if key is None else read_signing_key(key), datetime.now(UTC))
    text_console().print(f"The card of {bundle} shows the table, sha256 {signed.digest}")


def _print_table(table: RobustnessTable) -> None:
    from training.robustness.page import HEAD, halves_sentence, written

    shown = Table(*HEAD)
    for row in table.rows:
        shown.add_row(*written(row))
    text_console().print(shown)
    text_console().print(halves_sentence(table))
