"""The verb `hilbert-train matrix`: the evaluation for each pair of a speech and a text encoder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from training.cli.run import ConfigOption, FeaturesOption, ManifestArgument, OutOption, RoleOption, refusals
from training.config import CONFIGS

SETTINGS = CONFIGS / "matrix.yaml"
STANDINS = CONFIGS / "demo.yaml"
NAMED = "NAME=FOLDER of an exported encoder; once for each."


def add_verbs(app: typer.Typer) -> None:
    """Put the verb into the command line."""
    app.command()(matrix)


def matrix(  # noqa: PLR0913, PLR0917 - the options of a command
    manifest: ManifestArgument,
    out: OutOption,
    speech: Annotated[list[str] | None, typer.Option(help=f"Speech encoder, {NAMED}")] = None,
    text: Annotated[list[str] | None, typer.Option(help=f"Text encoder, {NAMED}")] = None,
    at_hand: Annotated[
        Path | None, typer.Option(exists=True, file_okay=False, help="Bundle whose encoders serve as two stand-ins.")
    ] = None,
    config: ConfigOption = SETTINGS,
    features: FeaturesOption = None,
    role: RoleOption = None,
) -> None:
    """Evaluate every pair of encoders; without --speech and --text with small stand-ins of all four architectures."""
    from training.config import load_run, load_settings
    from training.encoder_pairs.encoders import make_encoders
    from training.encoder_pairs.evaluation import EncoderMatrixPlan, evaluate_matrix, tabulate
    from training.protocol.run import RunPaths

    console = Console()
    if bool(speech) != bool(text):
        raise typer.BadParameter("name encoders of both kinds, or of none: --speech NAME=FOLDER --text NAME=FOLDER")
    with refusals():
        if speech and text:
            encoders = {"speech": _read_named(speech), "text": _read_named(text)}
        else:
            standins = load_settings(STANDINS).standins
            encoders = make_encoders(out / "standins", standins, console.print, at_hand=at_hand)
        paths = RunPaths(manifest=manifest, encoders=out, out=out, features=features or out / "features", role=role)
        plan = EncoderMatrixPlan(
            speech=encoders["speech"], text=encoders["text"], paths=paths, settings=load_run(config), console=console
        )
        console.print(tabulate(evaluate_matrix(plan)))


def _read_named(given: Sequence[str]) -> dict[str, Path]:
    folders = {}
    for option in given:
        name, equals, folder = option.partition("=")
        if not equals or not (Path(folder) / "encoder.json").exists():
            raise typer.BadParameter(f"{option} is no NAME=FOLDER of an exported encoder; make one with export-encoder")
        folders[name] = Path(folder)
    return folders
