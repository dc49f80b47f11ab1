"""The command line `hilbert-train`: one verb for each step from a cohort to a bundle."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console

from training.cli.encoder_pairs import add_verbs as add_matrix_verb
from training.cli.errors import refuse
from training.cli.export import add_verbs as add_export_verb
from training.cli.release import add_verbs as add_release_verbs
from training.cli.robustness import add_verbs as add_robustness_verb
from training.cli.run import DEFAULT_SETTINGS
from training.cli.run import add_verbs as add_run_verbs
from training.cohort.cohort import Role
from training.config import CONFIGS, load_run, load_settings

DEMO_SETTINGS = CONFIGS / "demo.yaml"

Device = Literal["cpu", "cuda", "tensorrt", "auto"]

app = typer.Typer(help="Make cohorts, encoders and bundles.", no_args_is_help=True, add_completion=False)

ConfigOption = Annotated[
    Path, typer.Option("--config", exists=True, dir_okay=False, help="YAML file with the settings of the run.")
]
ManifestArgument = Annotated[Path, typer.Argument(help="CSV or Parquet file that describes the cohort.")]
OutOption = Annotated[Path, typer.Option("--out", file_okay=False, help="Output folder.")]


@app.callback()
def _verbs() -> None:
    """Make cohorts, encoders and bundles."""


@app.command()
def synthetic(
    out: OutOption,
    config: ConfigOption = DEMO_SETTINGS,
    seed: Annotated[int | None, typer.Option(help="Seed; default: the configured one.")] = None,
    speakers: Annotated[
        int | None, typer.Option(min=1, help="Number of speakers; default: the configured one.")
    ] = None,
) -> None:
    """Synthesise the synthetic cohort: audio, transcripts and manifest.csv."""
    from training.synthetic.cohort import write_cohort

    settings = load_settings(config)
    cohort = settings.cohort if speakers is None else settings.cohort.model_copy(update={"speakers": speakers})
    with refuse():
        manifest = write_cohort(out, settings.seed if seed is None else seed, cohort)
    Console().print(f"{cohort.speakers} interviews; manifest: {manifest}")


@app.command()
def standins(
    out: OutOption,
    config: ConfigOption = DEMO_SETTINGS,
    architectures: Annotated[
        str | None,
        typer.Option(
            help="Architectures among hubert, whisper, roberta, t5, separated by commas; each in its own folder."
        ),
    ] = None,
) -> None:
    """Train small stand-ins for the encoders of the hub: HuBERT in `speech` and RoBERTa in `text`, or those named.

    The default pair takes about ten minutes on two cores.
    """
    from training.synthetic.standins import ARCHITECTURES, make_standin, make_standins

    console, settings = Console(), load_settings(config).standins
    names = None if architectures is None else list(dict.fromkeys(name.strip() for name in architectures.split(",")))
    if unknown := sorted(set(names or ()) - set(ARCHITECTURES)):
        raise typer.BadParameter(f"unknown: {', '.join(unknown)}. Known are: {', '.join(ARCHITECTURES)}.")
    with refuse():
        if names is None:
            checkpoints = list(make_standins(out, settings, console.print))
        else:
            checkpoints = [make_standin(name, out / name, settings, console.print) for name in names]
    console.print(f"Hugging Face checkpoints in {' and '.join(str(folder) for folder in checkpoints)}")


@app.command()
def validate(
    manifest: ManifestArgument,
    task: Annotated[str | None, typer.Option(help="The task to train, such as spectrum.")] = None,
    outcome: Annotated[
        list[str] | None, typer.Option(help="An outcome of the task; repeat the option in the order of the labels.")
    ] = None,
    role: Annotated[Role | None, typer.Option(help="Only recordings of this role.")] = None,
) -> None:
    """Report all problems of a cohort, and count its documents."""
    from training.cohort.manifest import CohortRequirements, inspect_manifest
    from training.cohort.report import print_inspection

    if outcome and task is None:
        raise typer.BadParameter("outcomes need their task: add --task")
    requirements = CohortRequirements(task=task, outcomes=tuple(outcome or ()), role=role)
    inspection = inspect_manifest(manifest, requirements)
    print_inspection(inspection, requirements, Console())
    raise typer.Exit(1 if inspection.errors else 0)


@app.command()
def precompute(  # noqa: PLR0913, PLR0917 - typer takes options as parameters
    manifest: ManifestArgument,
    encoders: Annotated[Path, typer.Option(exists=True, help="Folder with the exported encoders speech and text.")],
    store: Annotated[Path, typer.Option(file_okay=False, help="Folder of the feature cache.")],
    config: ConfigOption = DEFAULT_SETTINGS,
    threads: Annotated[int, typer.Option(min=1, help="Threads of the encoders, in each process.")] = 2,
    workers: Annotated[
        int, typer.Option(min=1, help="Processes; one process per core with one thread each is fastest.")
    ] = 1,
    device: Annotated[Device, typer.Option(help="Device of the encoders; only `auto` falls back to the CPU.")] = "cpu",
) -> None:
    """Encode every recording of a cohort once; an interrupted run can be repeated and continues."""
    from model.encoders.runtime import RuntimeOptions
    from training.cohort.manifest import read_cohort
    from training.encoding.cohort import open_encoders
    from training.encoding.cohort import precompute as encode
    from training.encoding.parallel import EncodingWorkerSettings, fill_feature_store
    from training.encoding.progress import print_encoded

    console, settings = Console(), load_run(config).segments
    with refuse():
        options = RuntimeOptions(threads=threads, device=device)
        cohort, pair = read_cohort(manifest), open_encoders(encoders, options)
        if workers > 1:
            worker = EncodingWorkerSettings(encoders=encoders, store=store, segments=settings, options=options)
            fill_feature_store(cohort, worker, workers=workers, console=console)
        print_encoded(encode(cohort, store=store, encoders=pair, settings=settings, console=console), console)


@app.command()
def demo(
    out: OutOption,
    config: ConfigOption = DEMO_SETTINGS,
    work: Annotated[Path, typer.Option(help="Folder of intermediate results, which a later run uses again.")] = Path(
        "var/demonstration"
    ),
    encoders: Annotated[
        Path | None,
        typer.Option(exists=True, file_okay=False, help="Exported encoders; default: stand-ins are trained."),
    ] = None,
    key: Annotated[Path | None, typer.Option(exists=True, dir_okay=False, help="Private signing key.")] = None,
) -> None:
    """Make and evaluate the demonstration bundle, and test it on new synthetic speakers."""
    from training.demonstration.build import Demonstration

    console, settings = Console(), load_settings(config)
    with refuse():
        report = Demonstration(settings, work, console).run(out, encoders=encoders, key=key)
    console.print_json(report.model_dump_json())


add_release_verbs(app)
add_run_verbs(app)
add_matrix_verb(app)
add_robustness_verb(app)
add_export_verb(app)


def main() -> None:
    """Entry point of `hilbert-train`."""
    app()


if __name__ == "__main__":
    main()
