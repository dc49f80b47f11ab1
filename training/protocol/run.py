"""The steps of a run: features, evaluation and checkpoint of a cohort, in one folder that can be resumed."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from pydantic import JsonValue
from rich.console import Console

from model.bundle.manifest import SPEECH, TEXT
from model.encoders.runtime import RuntimeOptions
from training.cohort.cohort import Role
from training.cohort.manifest import read_cohort
from training.config import RunSettings
from training.encoding.cohort import open_encoders, precompute
from training.encoding.parallel import EncodingWorkerSettings, fill_feature_store
from training.encoding.progress import print_encoded
from training.evaluation.measures import Measures
from training.fit.console import ProgressDisplay
from training.fit.tensorboard import Tracker, open_tracker
from training.protocol.evaluate import evaluate
from training.protocol.experiment import CARRIER, Experiment, make_experiment
from training.protocol.final_fit import train_final
from training.protocol.fold_runs import RunContext
from training.release.checkpoint import ReleaseCheckpoint, save_checkpoint
from training.report.writing import write_report

VERSIONS = ("torch", "numpy", "scikit-learn", "onnxruntime", "safetensors")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPaths:
    """The input and output paths of a run, the role to keep, and whether to write TensorBoard events.

    Runs may share the folder of features, because the features are stored under a digest of their inputs.
    """

    manifest: Path
    encoders: Path
    out: Path
    features: Path
    role: Role | None = None
    tensorboard: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Runner:
    """The steps of a run on one cohort. Each step resumes where it was interrupted."""

    paths: RunPaths
    settings: RunSettings
    console: Console

    def experiment(self) -> Experiment:
        """Read, encode and label the cohort; raises CohortError and NoTrainingDocumentsError."""
        cohort = read_cohort(self.paths.manifest).with_role(self.paths.role)
        paths, segments, workers = self.paths, self.settings.segments, self.settings.trainer.workers
        encoders = open_encoders(paths.encoders, RuntimeOptions(threads=self.settings.trainer.threads))
        if workers > 1:  # several processes of one thread are faster than one process of several threads
            worker_settings = EncodingWorkerSettings(
                encoders=paths.encoders, store=paths.features, segments=segments, options=RuntimeOptions(threads=1)
            )
            fill_feature_store(cohort, worker_settings, workers=workers, console=self.console)
        # Reads what the workers stored, and reports the recordings that they skipped (decision 0010).
        encoded = precompute(cohort, store=paths.features, encoders=encoders, settings=segments, console=self.console)
        print_encoded(encoded, self.console)
        return make_experiment(cohort, encoded, self.settings.tasks)

    def evaluate(self, experiment: Experiment) -> Measures:
        """Cross-validate every arm and write `report/`: metrics.json, report.html, tripod.md."""
        display = ProgressDisplay(self.console)
        with display.shown(), self._open_tracker("evaluation") as tracker:
            context = self._context("evaluation", experiment, display, tracker)
            evidence = evaluate(experiment, self.settings, context, about=self._about(experiment))
        return write_report(evidence, self.paths.out / "report", self.settings.measures)

    def train(self, experiment: Experiment) -> ReleaseCheckpoint:
        """Train the network for a release and write it with its calibration to `checkpoint/`."""
        display = ProgressDisplay(self.console)
        with display.shown(), self._open_tracker("training") as tracker:
            context = self._context("training", experiment, display, tracker)
            checkpoint = train_final(experiment, self.settings, context, about=self._about(experiment))
        save_checkpoint(self.paths.out / "checkpoint", checkpoint)
        return checkpoint

    def _context(self, name: str, experiment: Experiment, display: ProgressDisplay, tracker: Tracker) -> RunContext:
        return RunContext(
            folder=self.paths.out / "work" / name,
            bounds=experiment.bounds,
            report_epoch=tracker.wrap(display.report),
            start_group=display.start_group,
        )

    def _open_tracker(self, name: str) -> Tracker:
        return open_tracker(self.paths.out / "tensorboard" / name if self.paths.tensorboard else None)

    def _about(self, experiment: Experiment) -> dict[str, JsonValue]:
        cohort = experiment.cohort
        return {
            "demonstration": any(CARRIER in row.notes for row in cohort.rows),
            "date": datetime.now(UTC).date().isoformat(),
            "role": self.paths.role,
            "cohort": {
                "manifest_sha256": _sha256(self.paths.manifest),
                "documents_sha256": experiment.digest,
                "recordings": len(cohort),
            },
            "encoders": {name: _digests(self.paths.encoders / name) for name in (SPEECH, TEXT)},
            "features": {"audio": experiment.dims.audio, "text": experiment.dims.text},
            "settings": self.settings.model_dump(mode="json"),
            "versions": _versions(VERSIONS),
        }


def _versions(names: Sequence[str]) -> dict[str, JsonValue]:
    return {"python": platform.python_version(), **{name: version(name) for name in names}}


def _digests(folder: Path) -> JsonValue:
    return {file.name: _sha256(file) for file in sorted(folder.iterdir()) if file.is_file()}


def _sha256(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
