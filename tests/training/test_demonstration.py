import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from model.bundle.bundle import open_bundle
from model.config import NetworkSettings
from model.pipeline import Pipeline
from training.cohort.manifest import read_cohort
from training.config import CohortSettings, TrainerSettings, TrainingSettings
from training.demonstration import Demonstration, DemonstrationReport

SETTINGS = TrainingSettings(
    fresh_speakers=8,
    cohort=CohortSettings(
        speakers=16, seconds=10, shares={"none": 0.4, "depressive": 0.2, "bipolar": 0.2, "psychotic": 0.2}
    ),
    network=NetworkSettings(width=16, heads=2, experts=2),
    trainer=TrainerSettings(epochs=2, batch=8),
)


@pytest.fixture(scope="module")
def work(encoders: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("work")
    (folder / "encoders").symlink_to(encoders)
    return folder


@pytest.fixture(scope="module")
def report(work: Path) -> DemonstrationReport:
    return Demonstration(SETTINGS, work, Console(file=io.StringIO())).run(work / "bundle")


def test_the_run_ends_in_a_bundle_that_scores(report: DemonstrationReport, work: Path, tmp_path: Path) -> None:
    row = read_cohort(work / "fresh" / "manifest.csv").rows[0]
    found = Pipeline.open(work / "bundle", threads=1).assess(
        audio=work / "fresh" / row.recording,
        transcript=(work / "fresh" / row.transcript).read_bytes(),
        scratch=tmp_path,
        task="spectrum",
    )
    assert found.model.demonstration
    assert {one.outcome for one in found.probabilities} == set(SETTINGS.cohort.shares)


def test_the_report_counts_every_speaker_once(report: DemonstrationReport, work: Path) -> None:
    assert sum(sum(part.values()) for part in report.speakers.values()) == 16
    assert report.fresh.speakers == 8
    assert sum(report.fresh.both.cases.values()) == 8
    assert sum(one.speakers for one in report.fresh.carriers.values()) == 8 - report.fresh.both.cases["none"]
    assert set(report.fresh.carriers) <= {"audio", "text", "both"}
    assert json.loads((work / "report.json").read_text()) == json.loads(report.model_dump_json())


def test_the_calibration_holds_training_means_and_shares(report: DemonstrationReport, work: Path) -> None:
    calibration = open_bundle(work / "bundle").calibration
    assert sum(calibration.tasks["spectrum"].prior) == pytest.approx(1)
    assert calibration.tasks["spectrum"].temperature == report.temperature
    assert len(calibration.audio_mean) == 32
    assert len(calibration.text_mean) == 24


def test_a_second_run_takes_up_what_the_first_one_made(report: DemonstrationReport, work: Path) -> None:
    kept = sorted((file.name, file.stat().st_mtime_ns) for file in (work / "features").iterdir())
    again = Demonstration(SETTINGS, work, Console(file=io.StringIO())).run(work / "second")
    assert sorted((file.name, file.stat().st_mtime_ns) for file in (work / "features").iterdir()) == kept
    assert again == report
    assert open_bundle(work / "second").digest == open_bundle(work / "bundle").digest
