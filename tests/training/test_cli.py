from pathlib import Path

from typer.testing import CliRunner

from training.cli import app
from training.cohort import read_manifest

SMALL = """
cohort: {speakers: 3, seconds: 4}
standins:
  speakers: 2
  seconds: 4
  writers: 10
  threads: 1
  speech: {hidden: 32, layers: 1, heads: 2, feedforward: 32, convolution: 8, steps: 2, batch: 2, crop_seconds: 1}
  text: {vocabulary: 300, hidden: 32, layers: 1, heads: 2, feedforward: 32, steps: 2, batch: 2}
  t5: {vocabulary: 300, hidden: 32, layers: 1, heads: 2, feedforward: 32, steps: 2, batch: 2}
"""


def run(*arguments):
    outcome = CliRunner().invoke(app, [str(one) for one in arguments])
    assert outcome.exit_code == 0, outcome.output
    return outcome.output


def write_small_config(folder: Path) -> Path:
    (folder / "small.yaml").write_text(SMALL)
    return folder / "small.yaml"


def test_synthetic_writes_as_many_interviews_as_asked(tmp_path):
    run("synthetic", "--out", tmp_path / "cohort", "--config", write_small_config(tmp_path), "--speakers", 1)
    assert len(read_manifest(tmp_path / "cohort" / "manifest.csv")) == 1
    assert len(list((tmp_path / "cohort" / "audio").glob("*.flac"))) == 1


def test_standins_writes_two_checkpoints_and_says_how_they_learnt(tmp_path):
    said = run("standins", "--out", tmp_path / "encoders", "--config", write_small_config(tmp_path))
    assert said.count(" -> ") == 2
    assert (tmp_path / "encoders" / "speech" / "model.safetensors").exists()
    assert (tmp_path / "encoders" / "text" / "tokenizer.json").exists()


def test_standins_of_named_architectures_get_folders_of_their_names(tmp_path):
    config = write_small_config(tmp_path)
    said = run("standins", "--out", tmp_path / "encoders", "--config", config, "--architectures", "t5, roberta")
    assert said.count(" -> ") == 2
    assert sorted(folder.name for folder in (tmp_path / "encoders").iterdir()) == ["roberta", "t5"]


def test_an_unknown_architecture_is_refused_before_anything_is_trained(tmp_path):
    arguments = ["standins", "--out", str(tmp_path / "encoders"), "--architectures", "t5,bert"]
    outcome = CliRunner().invoke(app, arguments)
    assert outcome.exit_code == 2
    assert "unknown: bert" in outcome.output
    assert not (tmp_path / "encoders").exists()
