"""The demonstration bundle from nothing: encoders, cohort, features, network, calibration, bundle, report.

Everything in it is synthetic: it shows the way, not a finding.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
from rich.console import Console

from model.bundle.bundle import Bundle
from model.bundle.manifest import Calibration, Manifest, Task, TaskCalibration
from model.config import Settings
from model.encoders.runtime import RuntimeOptions
from model.export.encoder import export_encoder
from model.network.checkpoint import NetworkDescription, save
from model.scoring import Scorer
from training.batches import LabelledDocument, label, measure_features
from training.calibration import fit_temperature
from training.cohort.manifest import read_cohort
from training.cohort.row import CohortRow
from training.config import TrainingSettings
from training.fresh import FreshReport, measure_fresh
from training.metrics import macro_auroc, softmax
from training.precompute import EncoderPair, open_encoders, precompute
from training.release import Release, release
from training.splits import Split, count_outcomes, refuse_leaks, split_by_family
from training.synthetic.cohort import TASK, write_cohort
from training.synthetic.standins import make_standins
from training.trainer import Epoch, Fold, Trained, predict_logits, read_labels, train_network

NAME = "hilbert-demonstration"
VERSION = "0.1.0"

T = TypeVar("T")


class DemonstrationReport(Settings):
    """What the run found; written beside the work files, and quoted in the docs."""

    seed: int
    speakers: dict[str, dict[str, int]]
    best_epoch: int
    temperature: float
    held_out_macro_auroc: float | None
    fresh: FreshReport


class Demonstration:
    """One run in a work folder; finished steps found there are not done again."""

    def __init__(self, settings: TrainingSettings, work: Path, console: Console) -> None:
        self.settings = settings
        self.work = work
        self.console = console
        self.outcomes = tuple(settings.cohort.shares)

    def run(self, target: Path) -> DemonstrationReport:
        """Make the bundle `target` and measure it on fresh speakers."""
        encoders = self._encoders()
        pair = open_encoders(encoders, RuntimeOptions(threads=self.settings.standins.threads))
        rows, documents = self._documents("cohort", self.settings.seed, self.settings.cohort.speakers, pair)
        split = self._split(rows)
        trained = self._train(documents, split, pair)
        calibration = self._calibrate(trained, documents, split)
        bundle = release(
            Release(
                network=trained.network,
                calibration=calibration,
                encoders=encoders,
                manifest=Manifest(
                    name=NAME,
                    version=VERSION,
                    demonstration=True,
                    tasks=(Task(name=TASK, outcomes=self.outcomes),),
                    encoders={},
                    segments=self.settings.segments,
                    files={},
                ),
            ),
            target,
        )
        return self._report(bundle, trained, documents, split, pair)

    def _encoders(self) -> Path:
        folder = self.work / "encoders"
        if not folder.exists():
            speech, text = make_standins(self.work / "checkpoints", self.settings.standins, self.console.print)
            partial = self.work / "encoders.partial"
            for source, dither in ((speech, self.settings.standins.dither), (text, 0.0)):
                found = export_encoder(str(source), partial / source.name, dither=dither)
                self.console.print(f"{found.architecture} exported, within {found.parity:.1e} of torch")
            partial.rename(folder)
        return folder

    def _documents(
        self, name: str, seed: int, speakers: int, encoders: EncoderPair
    ) -> tuple[tuple[CohortRow, ...], list[LabelledDocument]]:
        folder = self.work / name
        if not (folder / "complete").exists():
            self.console.print(f"Speaking the {name}: {speakers} interviews")
            write_cohort(folder, seed, self.settings.cohort.model_copy(update={"speakers": speakers}))
            (folder / "complete").touch()
        cohort = read_cohort(folder / "manifest.csv")
        encoded = precompute(
            cohort,
            store=self.work / "features",
            encoders=encoders,
            settings=self.settings.segments,
            console=self.console,
        )
        scored = cohort.take(one.row for one in encoded if not one.abstains)
        self.console.print(f"{len(cohort) - len(scored)} of {len(cohort)} recordings are too poor to score")
        return scored.rows, list(label(cohort, encoded, task=TASK, outcomes=self.outcomes))

    def _split(self, rows: Sequence[CohortRow]) -> Split:
        families, outcomes = [row.family for row in rows], [row.labels[TASK] for row in rows]
        split = split_by_family(families, outcomes, self.settings.splits)
        refuse_leaks(split, families)
        self.console.print({part: dict(found) for part, found in count_outcomes(split, outcomes).items()})
        return split

    def _train(self, documents: Sequence[LabelledDocument], split: Split, encoders: EncoderPair) -> Trained:
        description = NetworkDescription(
            audio_dim=encoders.speech.description.dim,
            text_dim=encoders.text.description.dim,
            outcomes={TASK: self.outcomes},
            network=self.settings.network,
        )
        fold = Fold(train=_pick(documents, split.train), validation=_pick(documents, split.validation))
        trained = train_network(description, fold, self.settings.trainer, self._tell)
        save(self.work / "checkpoint", trained.network, description)
        return trained

    def _tell(self, epoch: Epoch) -> None:
        auroc = "undefined" if epoch.validation_auroc is None else f"{epoch.validation_auroc:.3f}"
        losses = f"loss {epoch.training_loss:.3f}  validation {epoch.validation_loss:.3f}"
        self.console.print(f"epoch {epoch.number:3d}  {losses}  AUROC {auroc}")

    def _calibrate(self, trained: Trained, documents: Sequence[LabelledDocument], split: Split) -> Calibration:
        held_out = _pick(documents, split.validation)
        logits = predict_logits(trained.network, held_out)[TASK]
        statistics = measure_features(_pick(documents, split.train))
        labels = read_labels(_pick(documents, split.train), TASK)
        shares = np.bincount(labels, minlength=len(self.outcomes)) / len(labels)
        return Calibration(
            tasks={
                TASK: TaskCalibration(
                    temperature=fit_temperature(logits, read_labels(held_out, TASK)), prior=tuple(shares.tolist())
                )
            },
            audio_mean=tuple(statistics.audio_mean.tolist()),
            text_mean=tuple(statistics.text_mean.tolist()),
        )

    def _report(
        self,
        bundle: Bundle,
        trained: Trained,
        documents: Sequence[LabelledDocument],
        split: Split,
        encoders: EncoderPair,
    ) -> DemonstrationReport:
        test = _pick(documents, split.test)
        held_out = macro_auroc(
            softmax(predict_logits(trained.network, test)[TASK]), read_labels(test, TASK), self.outcomes
        )
        rows, fresh = self._documents("fresh", self.settings.fresh_seed, self.settings.fresh_speakers, encoders)
        scorer = Scorer(bundle, RuntimeOptions(threads=self.settings.standins.threads))
        counted = count_outcomes(split, [self.outcomes[document.labels[TASK]] for document in documents])
        report = DemonstrationReport(
            seed=self.settings.seed,
            speakers={part: dict(found) for part, found in counted.items()},
            best_epoch=trained.best.number,
            temperature=bundle.calibration.tasks[TASK].temperature,
            held_out_macro_auroc=held_out.value,
            fresh=measure_fresh(scorer, fresh, rows, task=TASK),
        )
        (self.work / "report.json").write_text(report.model_dump_json(indent=2) + "\n", encoding="utf-8")
        return report


def _pick(documents: Sequence[T], rows: Iterable[int]) -> list[T]:
    return [documents[row] for row in rows]
