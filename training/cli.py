"""`hilbert-train`: from a cohort to a bundle, one verb a step."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from training.config import TrainingSettings, load_settings

DEMO_SETTINGS = Path(__file__).parent / "configs" / "demo.yaml"

app = typer.Typer(help="Make cohorts, encoders and bundles.", no_args_is_help=True, add_completion=False)

ConfigOption = Annotated[
    Path, typer.Option("--config", exists=True, dir_okay=False, help="YAML file with the numbers of the run.")
]
OutOption = Annotated[Path, typer.Option("--out", file_okay=False, help="Folder to write to.")]


@app.callback()
def _verbs() -> None:
    """Make cohorts, encoders and bundles."""


@app.command()
def synthetic(
    out: OutOption,
    config: ConfigOption = DEMO_SETTINGS,
    seed: Annotated[int | None, typer.Option(help="Another seed than the run's.")] = None,
    speakers: Annotated[int | None, typer.Option(min=1, help="Another number of speakers.")] = None,
) -> None:
    """Speak the synthetic cohort: audio, transcripts and manifest.csv."""
    from training.synthetic.cohort import write_cohort

    settings = load_settings(config)
    wanted = settings.cohort if speakers is None else settings.cohort.model_copy(update={"speakers": speakers})
    manifest = write_cohort(out, settings.seed if seed is None else seed, wanted)
    _console().print(f"{wanted.speakers} interviews, described by {manifest}")


@app.command()
def standins(out: OutOption, config: ConfigOption = DEMO_SETTINGS) -> None:
    """Train the two small encoders that stand in for the hub's (about four minutes)."""
    from training.synthetic.standins import make_standins

    settings: TrainingSettings = load_settings(config)
    speech, text = make_standins(out, settings.standins, _console().print)
    _console().print(f"Hugging Face checkpoints in {speech} and {text}")


def _console() -> Console:
    return Console()


def main() -> None:
    """Entry point of `hilbert-train`."""
    app()


if __name__ == "__main__":
    main()
