"""The verbs of `hilbert-train` on a cohort: train, evaluate, and run, which does both and releases."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from training.cohort.cohort import Role
from training.config import CONFIGS

if TYPE_CHECKING:
    from training.protocol.run import Runner

DEFAULT_SETTINGS = CONFIGS / "default.yaml"

ManifestArgument = Annotated[Path, typer.Argument(help="CSV or Parquet file that describes the cohort.")]
EncodersOption = Annotated[Path, typer.Option(exists=True, help="Folder with the exported encoders speech and text.")]
OutOption = Annotated[Path, typer.Option(file_okay=False, help="Folder of the run; a stopped run goes on there.")]
FeaturesOption = Annotated[
    Path | None, typer.Option(file_okay=False, help="Folder in which features are kept; default: in the run's.")
]
ConfigOption = Annotated[Path, typer.Option(exists=True, dir_okay=False, help="YAML file with the numbers of the run.")]
RoleOption = Annotated[Role | None, typer.Option(help="Only recordings of this role.")]
TrackOption = Annotated[bool, typer.Option("--tensorboard", help="Also write event files for TensorBoard.")]


def add_verbs(app: typer.Typer) -> None:
    """Put the verbs of this module into the command line."""
    app.command()(train)
    app.command()(evaluate)
    app.command()(run)


def train(  # noqa: PLR0913, PLR0917 - the options of a command
    manifest: ManifestArgument,
    encoders: EncodersOption,
    out: OutOption,
    config: ConfigOption = DEFAULT_SETTINGS,
    features: FeaturesOption = None,
    role: RoleOption = None,
    tensorboard: TrackOption = False,
) -> None:
    """Train the network for a release on a whole cohort, tuned and calibrated out of fold."""
    with refusals():
        runner = _runner(manifest, encoders, out, config, features, role, tensorboard)
        checkpoint = runner.train(runner.experiment())
    task = runner.settings.task
    temperature = checkpoint.calibration.tasks[task].temperature
    runner.console.print(f"Checkpoint in {out / 'checkpoint'}; temperature {temperature:.2f}")


def evaluate(  # noqa: PLR0913, PLR0917 - the options of a command
    manifest: ManifestArgument,
    encoders: EncodersOption,
    out: OutOption,
    config: ConfigOption = DEFAULT_SETTINGS,
    features: FeaturesOption = None,
    role: RoleOption = None,
    tensorboard: TrackOption = False,
) -> None:
    """Evaluate HILBERT and its line-up by nested cross-validation, and write the report."""
    with refusals():
        runner = _runner(manifest, encoders, out, config, features, role, tensorboard)
        measures = runner.evaluate(runner.experiment())
    for line in measures.verdict:
        runner.console.print(line)
    runner.console.print(f"Report: {out / 'report' / 'report.html'}")


def run(  # noqa: PLR0913, PLR0917 - the options of a command
    manifest: ManifestArgument,
    encoders: EncodersOption,
    out: OutOption,
    card: Annotated[Path, typer.Option(exists=True, dir_okay=False, help="The authored part of the model card, YAML.")],
    golden_audio: Annotated[Path, typer.Option(exists=True, dir_okay=False, help="Recording for the golden check.")],
    golden_transcript: Annotated[Path, typer.Option(exists=True, dir_okay=False, help="Its transcript.")],
    name: Annotated[str, typer.Option(help="Name of the bundle.")],
    version: Annotated[str, typer.Option(help="Version of the bundle.")] = "0.1.0",
    config: ConfigOption = DEFAULT_SETTINGS,
    features: FeaturesOption = None,
    role: RoleOption = None,
    key: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="Private key to sign with; see keygen.")
    ] = None,
    tensorboard: TrackOption = False,
) -> None:
    """From a manifest to the report and a released bundle: encode, evaluate, train, release."""
    from training.cli.release import release

    with refusals():
        runner = _runner(manifest, encoders, out, config, features, role, tensorboard)
        experiment = runner.experiment()
        measures = runner.evaluate(experiment)
        runner.train(experiment)
    for line in measures.verdict:
        runner.console.print(line)
    runner.console.print(f"Report: {out / 'report' / 'report.html'}")
    release(
        checkpoint=out / "checkpoint",
        encoders=encoders,
        card=card,
        golden_audio=golden_audio,
        golden_transcript=golden_transcript,
        name=name,
        version=version,
        out=out / "bundle",
        evaluation=out / "report" / "metrics.json",
        key=key,
        demonstration=measures.about.get("demonstration") is True,
    )


@contextmanager
def refusals() -> Iterator[None]:
    """End with status 1 and the reason for what is refused, without a traceback."""
    from training.cohort.problems import CohortError
    from training.cohort.report import print_problems
    from training.fit.guards import DivergedError, HeldOutDocumentError
    from training.fit.trainer import RunMismatchError
    from training.folds.nested import OutcomeAbsentError
    from training.folds.splits import FamilyLeakError
    from training.protocol.experiment import NoTrainingDocumentsError

    console = Console(soft_wrap=True, highlight=False)
    try:
        yield
    except CohortError as error:
        print_problems(error.problems, console)
        raise typer.Exit(1) from error
    except (
        NoTrainingDocumentsError,
        OutcomeAbsentError,
        DivergedError,
        HeldOutDocumentError,
        FamilyLeakError,
        RunMismatchError,
    ) as error:
        console.print(f"{error}.", markup=False)
        raise typer.Exit(1) from error


def _runner(  # noqa: PLR0913, PLR0917 - the options of a command
    manifest: Path,
    encoders: Path,
    out: Path,
    config: Path,
    features: Path | None,
    role: Role | None,
    tensorboard: bool,
) -> Runner:
    from training.config import load_run
    from training.protocol.run import Runner, RunPaths

    paths = RunPaths(
        manifest=manifest,
        encoders=encoders,
        out=out,
        features=features or out / "features",
        role=role,
        tensorboard=tensorboard,
    )
    return Runner(paths=paths, settings=load_run(config), console=Console())
