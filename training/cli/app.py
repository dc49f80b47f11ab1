"""`hilbert-train`: from a cohort to a bundle, one verb a step."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console

from training.cli.encoder_pairs import add_verbs as add_matrix_verb
from training.cli.export import add_verbs as add_export_verb
from training.cli.release import add_verbs as add_release_verbs
from training.cli.run import DEFAULT_SETTINGS
from training.cli.run import add_verbs as add_run_verbs
from training.cohort.cohort import Role
from training.config import CONFIGS, TrainingSettings, load_run, load_settings

DEMO_SETTINGS = CONFIGS / "demo.yaml"

Device = Literal["cpu", "cuda", "tensorrt", "auto"]

app = typer.Typer(help="Make cohorts, encoders and bundles.", no_args_is_help=True, add_completion=False)

ConfigOption = Annotated[
    Path, typer.Option("--config", exists=True, dir_okay=False, help="YAML file with the numbers of the run.")
]
ManifestArgument = Annotated[Path, typer.Argument(help="CSV or Parquet file that describes the cohort.")]
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
def standins(
    out: OutOption,
    config: ConfigOption = DEMO_SETTINGS,
    architectures: Annotated[
        str | None,
        typer.Option(help="Some of hubert, whisper, roberta, t5, by commas: each in a folder of its name."),
    ] = None,
) -> None:
    """Train the small encoders that stand in for the hub's: HuBERT in `speech` and RoBERTa in `text`, or those named.

    About ten minutes on two cores for these two.
    """
    from training.synthetic.standins import ARCHITECTURES, make_standin, make_standins

    settings: TrainingSettings = load_settings(config)
    if architectures is None:
        checkpoints = list(make_standins(out, settings.standins, _console().print))
    else:
        named = list(dict.fromkeys(name.strip() for name in architectures.split(",")))
        if unknown := sorted(set(named) - set(ARCHITECTURES)):
            raise typer.BadParameter(f"unknown: {', '.join(unknown)}. Known are: {', '.join(ARCHITECTURES)}.")
        checkpoints = [make_standin(name, out / name, settings.standins, _console().print) for name in named]
    _console().print(f"Hugging Face checkpoints in {' and '.join(str(folder) for folder in checkpoints)}")


@app.command()
def validate(
    manifest: ManifestArgument,
    task: Annotated[str | None, typer.Option(help="The task to train, such as spectrum.")] = None,
    outcome: Annotated[list[str] | None, typer.Option(help="An outcome of the task, in order; once for each.")] = None,
    role: Annotated[Role | None, typer.Option(help="Only recordings of this role.")] = None,
) -> None:
    """Look for everything that is wrong with a cohort, and count what is in it."""
    from training.cohort.manifest import CohortRequirements, inspect_manifest
    from training.cohort.report import print_inspection

    if outcome and task is None:
        raise typer.BadParameter("outcomes need their task: add --task")
    wanted = CohortRequirements(task=task, outcomes=tuple(outcome or ()), role=role)
    inspection = inspect_manifest(manifest, wanted)
    print_inspection(inspection, wanted, _console())
    raise typer.Exit(1 if inspection.errors else 0)


@app.command()
def precompute(  # noqa: PLR0913, PLR0917 - typer takes options as parameters
    manifest: ManifestArgument,
    encoders: Annotated[Path, typer.Option(exists=True, help="Folder with the exported encoders speech and text.")],
    store: Annotated[Path, typer.Option(file_okay=False, help="Folder in which features are kept.")],
    config: ConfigOption = DEFAULT_SETTINGS,
    threads: Annotated[int, typer.Option(min=1, help="Threads of the encoders, in each process.")] = 2,
    workers: Annotated[int, typer.Option(min=1, help="Processes; as many as cores, of one thread, is fastest.")] = 1,
    device: Annotated[Device, typer.Option(help="Where the encoders run; a named device is had or refused.")] = "cpu",
) -> None:
    """Encode every recording of a cohort once; run again, it goes on where it was stopped."""
    from model.encoders.runtime import RuntimeOptions
    from model.errors import ModelError
    from training.cohort.manifest import read_cohort
    from training.cohort.problems import CohortError
    from training.cohort.report import print_problems
    from training.encoding.cohort import open_encoders
    from training.encoding.cohort import precompute as encode
    from training.encoding.parallel import EncodingWorkerSettings, fill_feature_store
    from training.encoding.progress import print_encoded

    console, settings = _console(), load_run(config).segments
    try:
        options = RuntimeOptions(threads=threads, device=device)
        cohort, pair = read_cohort(manifest), open_encoders(encoders, options)
        if workers > 1:
            apart = EncodingWorkerSettings(encoders=encoders, store=store, segments=settings, options=options)
            fill_feature_store(cohort, apart, workers=workers, console=console)
        print_encoded(encode(cohort, store=store, encoders=pair, settings=settings, console=console), console)
    except CohortError as error:
        print_problems(error.problems, console)
        raise typer.Exit(1) from error
    except ModelError as error:
        console.print(f"{error.detail}. {error.advice}")
        raise typer.Exit(1) from error


@app.command()
def demo(
    out: OutOption,
    config: ConfigOption = DEMO_SETTINGS,
    work: Annotated[Path, typer.Option(help="Folder for what is made on the way; kept, and used again.")] = Path(
        "var/demonstration"
    ),
    encoders: Annotated[
        Path | None,
        typer.Option(exists=True, file_okay=False, help="Exported encoders to take; else they are trained."),
    ] = None,
    key: Annotated[Path | None, typer.Option(exists=True, dir_okay=False, help="Private key to sign with.")] = None,
) -> None:
    """Make the demonstration bundle from nothing, evaluate it, and measure it on fresh synthetic speakers."""
    from training.demonstration.build import Demonstration

    console = _console()
    report = Demonstration(load_settings(config), work, console).run(out, encoders=encoders, key=key)
    console.print_json(report.model_dump_json())


add_release_verbs(app)
add_run_verbs(app)
add_matrix_verb(app)
add_export_verb(app)


def _console() -> Console:
    return Console()


def main() -> None:
    """Entry point of `hilbert-train`."""
    app()


if __name__ == "__main__":
    main()
