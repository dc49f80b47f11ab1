import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from model.bundle.bundle import open_bundle
from model.config import NetworkSettings
from model.pipeline import Pipeline
from training.card.card import check_bundle_card
from training.cohort.manifest import read_cohort
from training.config import CandidateSettings, CohortSettings, RunSettings, TrainerSettings, TrainingSettings
from training.demonstration.build import Demonstration, DemonstrationReport
from training.evaluation.bootstrap import BootstrapSettings
from training.evaluation.measures import MeasureSettings
from training.folds.nested import FoldSettings

SETTINGS = TrainingSettings(
    fresh_speakers=8,
    cohort=CohortSettings(
        speakers=24, seconds=10, shares={"none": 0.25, "depressive": 0.25, "bipolar": 0.25, "psychotic": 0.25}
    ),
    run=RunSettings(
        network=NetworkSettings(width=16, heads=2, experts=2),
        trainer=TrainerSettings(steps=6, look_every=3, workers=1, stack=4),
        folds=FoldSettings(seed=2, repeats=1, folds=2, inner=2),
        candidates=(CandidateSettings(name="only"),),
        measures=MeasureSettings(bootstrap=BootstrapSettings(resamples=100)),
    ),
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
    fresh = read_cohort(work / "fresh" / "manifest.csv")
    found = Pipeline.open(work / "bundle", threads=1).assess(
        audio=fresh.audio(0), transcript=fresh.transcript(0).read_bytes(), scratch=tmp_path, task="spectrum"
    )
    assert found.model.demonstration
    assert {one.outcome for one in found.probabilities} == set(SETTINGS.cohort.shares)


def test_the_report_counts_every_speaker_once(report: DemonstrationReport, work: Path) -> None:
    assert report.speakers == 24
    assert report.fresh.speakers == 8
    assert sum(report.fresh.both.cases.values()) == 8
    assert sum(one.speakers for one in report.fresh.carriers.values()) == 8 - report.fresh.both.cases["none"]
    assert json.loads((work / "report.json").read_text()) == json.loads(report.model_dump_json())


def test_the_calibration_holds_training_means_and_shares(report: DemonstrationReport, work: Path) -> None:
    calibration = open_bundle(work / "bundle").calibration
    assert calibration.tasks["spectrum"].prior == pytest.approx((0.25,) * 4)
    assert calibration.tasks["spectrum"].temperature == report.temperature
    assert len(calibration.audio_mean) == 32
    assert len(calibration.text_mean) == 24


def test_the_evaluation_names_every_arm_and_travels_in_the_bundle(report: DemonstrationReport, work: Path) -> None:
    metrics = json.loads((work / "report" / "metrics.json").read_text())
    assert json.loads((work / "bundle" / "evaluation.json").read_text()) == metrics
    arms = [arm["name"] for arm in metrics["line_up"]["arms"]]
    assert arms[:5] == ["hilbert", "audio_only", "text_only", "early_concat", "late_fusion"]
    assert metrics["counts"]["tested"] == 24
    assert metrics["about"]["demonstration"] is True
    assert report.verdict == tuple(metrics["verdict"])
    assert check_bundle_card(work / "bundle") > 0


def test_a_second_run_reuses_the_results_of_the_first(report: DemonstrationReport, work: Path) -> None:
    def made() -> dict[str, int]:
        parts = [*(work / "features").rglob("*.features"), *(work / "work").rglob("*.safetensors")]
        return {str(file): file.stat().st_mtime_ns for file in parts}

    before = made()
    again = Demonstration(SETTINGS, work, Console(file=io.StringIO())).run(work / "second")
    assert made() == before
    assert again.fresh == report.fresh
    names = ("network.onnx", "calibration.json", "golden.safetensors")
    for name in names:
        if (work / "bundle" / name).exists():
            assert (work / "second" / name).read_bytes() == (work / "bundle" / name).read_bytes()
