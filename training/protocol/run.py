"""From a cohort's manifest to features, evaluation, checkpoint and bundle, in one folder that resumes."""

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
from training.encoding.parallel import WorkerSettings, fill_store
from training.encoding.progress import print_encoded
from training.evaluation.measures import Measures
from training.fit.console import Display
from training.fit.tensorboard import Tracker, track
from training.protocol.evaluate import evaluate
from training.protocol.experiment import CARRIER, Experiment, make_experiment
from training.protocol.final_fit import train_final
from training.protocol.fold_runs import Place
from training.release.checkpoint import Checkpoint, save_checkpoint
from training.report.writing import write_report

VERSIONS = ("torch", "numpy", "scikit-learn", "onnxruntime", "safetensors")


@dataclass(frozen=True, slots=True, kw_only=True)
class Workplace:
    """Where a run reads and writes. Features may be shared between runs: they are named by their content."""

    manifest: Path
    encoders: Path
    out: Path
    features: Path
    role: Role | None = None
    tracking: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Runner:
    """The steps of a run on one cohort; each goes on where it was stopped."""

    place: Workplace
    settings: RunSettings
    console: Console

    def experiment(self) -> Experiment:
        """Inspect, encode and label the cohort; raises CohortError, NothingToTrainError."""
        cohort = read_cohort(self.place.manifest).among(role=self.place.role)
        place, segments, workers = self.place, self.settings.segments, self.settings.trainer.workers
        pair = open_encoders(place.encoders, RuntimeOptions(threads=self.settings.trainer.threads))
        if workers > 1:  # processes of one thread each are faster than one of several
            apart = WorkerSettings(
                encoders=place.encoders, store=place.features, segments=segments, options=RuntimeOptions(threads=1)
            )
            fill_store(cohort, apart, workers=workers, console=self.console)
        encoded = precompute(cohort, store=place.features, encoders=pair, settings=segments, console=self.console)
        print_encoded(encoded, self.console)
        return make_experiment(cohort, encoded, self.settings.tasks)

    def evaluate(self, experiment: Experiment) -> Measures:
        """Write `report/`: metrics.json, report.html, tripod.md."""
        display = Display(self.console)
        with display.shown(), self._tracked("evaluation") as tracker:
            place = self._place("evaluation", experiment, display, tracker)
            evidence = evaluate(experiment, self.settings, place, about=self._about(experiment))
        return write_report(evidence, self.place.out / "report", self.settings.measures)

    def train(self, experiment: Experiment) -> Checkpoint:
        """Write `checkpoint/`: the network for release, with its calibration."""
        display = Display(self.console)
        with display.shown(), self._tracked("training") as tracker:
            place = self._place("training", experiment, display, tracker)
            checkpoint = train_final(experiment, self.settings, place, about=self._about(experiment))
        save_checkpoint(self.place.out / "checkpoint", checkpoint)
        return checkpoint

    def _place(self, name: str, experiment: Experiment, display: Display, tracker: Tracker) -> Place:
        return Place(
            folder=self.place.out / "work" / name,
            bounds=experiment.bounds,
            report=tracker.beside(display.report),
            begin=display.begin,
        )

    def _tracked(self, name: str) -> Tracker:
        return track(self.place.out / "tensorboard" / name if self.place.tracking else None)

    def _about(self, experiment: Experiment) -> dict[str, JsonValue]:
        cohort = experiment.cohort
        return {
            "demonstration": any(CARRIER in row.notes for row in cohort.rows),
            "date": datetime.now(UTC).date().isoformat(),
            "role": self.place.role,
            "cohort": {
                "manifest_sha256": _sha256(self.place.manifest),
                "documents_sha256": experiment.digest,
                "recordings": len(cohort),
            },
            "encoders": {name: _digests(self.place.encoders / name) for name in (SPEECH, TEXT)},
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
