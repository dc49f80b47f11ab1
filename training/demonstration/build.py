"""The demonstration: encoders, synthetic cohort, evaluation, bundle, and a test on new speakers.

All data are synthetic, so the results show the method and say nothing about people.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from model.bundle.bundle import Bundle
from model.bundle.manifest import Manifest, Task
from model.config import FrozenSettings, QualitySettings
from model.encoders.runtime import RuntimeOptions
from model.export.encoder import export_encoder
from model.scoring import Scorer
from training.card.card import DEMONSTRATION_CARD
from training.config import TrainingSettings
from training.demonstration.holdout_evaluation import HoldoutReport, evaluate_holdout
from training.protocol.experiment import Experiment
from training.protocol.run import Runner, RunPaths
from training.release.bundle import ReleaseParts, release
from training.release.golden import cut_golden
from training.release.signing_key import read_signing_key
from training.report.writing import METRICS
from training.synthetic.cohort import write_cohort
from training.synthetic.standins import make_standins

NAME = "hilbert-demonstration"
VERSION = "0.2.0"


class DemonstrationReport(FrozenSettings):
    """The result of the demonstration, written to `report.json` in the work folder."""

    seed: int
    speakers: int
    verdict: tuple[str, ...]
    temperature: float
    fresh: HoldoutReport


class Demonstration:
    """A run in a work folder; finished steps are read from the folder."""

    def __init__(self, settings: TrainingSettings, work: Path, console: Console) -> None:
        self.settings = settings
        self.work = work
        self.console = console

    def run(self, target: Path, *, encoders: Path | None = None, key: Path | None = None) -> DemonstrationReport:
        """Make the bundle `target` and test it on new speakers.

        Without `encoders` (a folder of exported encoders) stand-ins are trained first.
        """
        pair = encoders or self._encoders()
        runner = self._runner("cohort", pair)
        experiment = self._experiment(runner, self.settings.seed, self.settings.cohort.speakers)
        verdict = runner.evaluate(experiment).verdict
        bundle = self._release(runner, experiment, target, key)
        fresh_runner = self._runner("fresh", pair)
        fresh = self._experiment(fresh_runner, self.settings.fresh_seed, self.settings.fresh_speakers)
        scorer = Scorer(bundle, RuntimeOptions(threads=self.settings.standins.threads))
        task = self.settings.run.task
        report = DemonstrationReport(
            seed=self.settings.seed,
            speakers=len(experiment.documents),
            verdict=verdict,
            temperature=bundle.calibration.tasks[task].temperature,
            fresh=evaluate_holdout(scorer, fresh.documents, fresh.cohort.rows, task=task),
        )
        (self.work / "report.json").write_text(report.model_dump_json(indent=2) + "\n", encoding="utf-8")
        return report

    def _encoders(self) -> Path:
        folder = self.work / "encoders"
        if not folder.exists():
            speech, text = make_standins(self.work / "checkpoints", self.settings.standins, self.console.print)
            # Renamed at the end, so that a killed export is not taken for a finished one.
            partial = self.work / "encoders.partial"
            for source, dither in ((speech, self.settings.standins.dither), (text, 0.0)):
                description = export_encoder(str(source), partial / source.name, dither=dither)
                self.console.print(f"{description.architecture} exported, within {description.parity:.1e} of torch")
            partial.rename(folder)
        return folder

    def _runner(self, name: str, encoders: Path) -> Runner:
        paths = RunPaths(
            manifest=self.work / name / "manifest.csv",
            encoders=encoders,
            out=self.work,
            features=self.work / "features",
        )
        return Runner(paths=paths, settings=self.settings.run, console=self.console)

    def _experiment(self, runner: Runner, seed: int, speakers: int) -> Experiment:
        folder = runner.paths.manifest.parent
        if not (folder / "complete").exists():
            self.console.print(f"Synthesising the cohort {folder.name}: {speakers} interviews")
            write_cohort(folder, seed, self.settings.cohort.model_copy(update={"speakers": speakers}))
            # Written last: without it, the folder of a killed synthesis would be taken for a whole cohort.
            (folder / "complete").touch()
        return runner.experiment()

    def _release(self, runner: Runner, experiment: Experiment, target: Path, key: Path | None) -> Bundle:
        checkpoint = runner.train(experiment)
        manifest = Manifest(
            name=NAME,
            version=VERSION,
            released=datetime.now(UTC).date(),
            demonstration=True,
            tasks=tuple(Task(name=name, outcomes=outcomes) for name, outcomes in self.settings.run.tasks.items()),
            encoders={},
            segments=self.settings.run.segments,
            quality=QualitySettings(languages=self.settings.run.languages),
            files={},
        )
        audio, transcript = experiment.cohort.audio(0), experiment.cohort.transcript(0)
        assert audio is not None  # noqa: S101 - synthetic interviews have both
        assert transcript is not None  # noqa: S101
        parts = ReleaseParts(
            network=checkpoint.network,
            calibration=checkpoint.calibration,
            encoders=runner.paths.encoders,
            manifest=manifest,
            golden=cut_golden(audio, transcript, manifest),
            card=DEMONSTRATION_CARD,
            evaluation=self.work / "report" / METRICS,
            about=checkpoint.about,
            key=None if key is None else read_signing_key(key),
            threads=self.settings.standins.threads,
        )
        return release(parts, target)
