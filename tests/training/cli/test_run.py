import csv
import json
from pathlib import Path
from typing import cast

import pytest
from typer.testing import CliRunner

from training.cli.app import app
from training.release.checkpoint import load_checkpoint

EXAMPLE = Path("examples/cohort")
TINY = """
network: {width: 16, heads: 2, experts: 2}
trainer: {steps: 4, look_every: 2, workers: 1, stack: 4}
folds: {seed: 0, repeats: 1, folds: 2, inner: 2}
candidates: [{name: only}]
lineup: []
languages: [en]
measures: {bootstrap: {resamples: 100}}
"""


def invoke(*arguments):
    return CliRunner().invoke(app, [str(one) for one in arguments])


@pytest.fixture
def words_alone(tmp_path):
    """The example cohort without its recordings, and a config that trains for moments."""
    with (EXAMPLE / "manifest.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    (tmp_path / "transcripts").mkdir()
    for row in rows:
        (tmp_path / row["transcript"]).write_bytes((EXAMPLE / row["transcript"]).read_bytes())
        row["recording"] = ""
    with (tmp_path / "manifest.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    (tmp_path / "tiny.yaml").write_text(TINY)
    return tmp_path


def test_a_cohort_without_audio_is_evaluated_by_its_words(words_alone, encoders):
    options = ["--encoders", encoders, "--out", words_alone / "run", "--config", words_alone / "tiny.yaml"]
    outcome = invoke("evaluate", words_alone / "manifest.csv", *options, "--tensorboard")
    assert outcome.exit_code == 0, outcome.output
    metrics = json.loads((words_alone / "run" / "report" / "metrics.json").read_text())
    assert metrics["counts"]["tested"] == 24
    assert metrics["about"]["settings"]["trainer"]["steps"] == 4
    assert "macro AUROC" in outcome.output
    assert (words_alone / "run" / "report" / "report.html").exists()
    assert list((words_alone / "run" / "tensorboard" / "evaluation").iterdir())


def test_train_leaves_a_checkpoint_that_a_release_takes(words_alone, encoders):
    options = ["--encoders", encoders, "--out", words_alone / "run", "--config", words_alone / "tiny.yaml"]
    outcome = invoke("train", words_alone / "manifest.csv", *options)
    assert outcome.exit_code == 0, outcome.output
    checkpoint = load_checkpoint(words_alone / "run" / "checkpoint")
    assert checkpoint.calibration.tasks["spectrum"].prior == pytest.approx((0.25,) * 4)
    assert checkpoint.about["candidate"] == "only"
    assert checkpoint.preparation.quality.languages == ("en",)
    assert 1 <= cast(int, checkpoint.about["steps"]) <= 4


def test_the_matrix_has_a_row_for_each_pair(words_alone, encoders):
    named = [
        "--speech",
        f"one={encoders / 'speech'}",
        "--text",
        f"a={encoders / 'text'}",
        "--text",
        f"b={encoders / 'text'}",
    ]
    options = ["--out", words_alone / "matrix", "--config", words_alone / "tiny.yaml", *named]
    outcome = invoke("matrix", words_alone / "manifest.csv", *options)
    assert outcome.exit_code == 0, outcome.output
    found = json.loads((words_alone / "matrix" / "matrix.json").read_text())
    assert [(pair["speech"], pair["text"]) for pair in found["pairs"]] == [("one", "a"), ("one", "b")]
    assert found["pairs"][0]["macro_auroc"] == found["pairs"][1]["macro_auroc"]


def test_encoders_of_a_single_modality_make_no_matrix(words_alone):
    outcome = invoke("matrix", words_alone / "manifest.csv", "--out", words_alone, "--speech", "one=nowhere")
    assert outcome.exit_code == 2
    assert "both kinds" in outcome.output


def test_a_folder_without_an_encoder_is_refused_by_name(words_alone, encoders):
    options = ["--speech", "one=nowhere", "--text", f"a={encoders / 'text'}"]
    outcome = invoke("matrix", words_alone / "manifest.csv", "--out", words_alone, *options)
    assert outcome.exit_code == 2
    assert "one=nowhere" in outcome.output


def test_folds_that_would_lack_an_outcome_are_refused_with_advice(words_alone, encoders):
    (words_alone / "many.yaml").write_text(TINY.replace("folds: 2", "folds: 9"))
    options = ["--encoders", encoders, "--out", words_alone / "run", "--config", words_alone / "many.yaml"]
    outcome = invoke("evaluate", words_alone / "manifest.csv", *options)
    assert outcome.exit_code == 1
    assert "use fewer folds" in " ".join(outcome.output.split())
    assert not (words_alone / "run" / "report").exists()


def test_a_role_without_documents_is_refused(words_alone, encoders):
    manifest = words_alone / "manifest.csv"
    manifest.write_text(manifest.read_text().replace("offspring", "parent"))
    options = ["--encoders", encoders, "--out", words_alone / "run", "--config", words_alone / "tiny.yaml"]
    outcome = invoke("train", manifest, *options, "--role", "offspring")
    assert outcome.exit_code == 1
    assert "no recording" in " ".join(outcome.output.split())
