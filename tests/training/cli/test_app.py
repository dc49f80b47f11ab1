from pathlib import Path

from typer.testing import CliRunner

from training.cli.app import app
from training.cohort.manifest import read_cohort

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


def test_synthetic_writes_the_requested_number_of_interviews(tmp_path):
    run("synthetic", "--out", tmp_path / "cohort", "--config", write_small_config(tmp_path), "--speakers", 1)
    assert len(read_cohort(tmp_path / "cohort" / "manifest.csv")) == 1
    assert len(list((tmp_path / "cohort" / "audio").glob("*.flac"))) == 1


def test_standins_writes_two_checkpoints_and_their_losses(tmp_path):
    said = run("standins", "--out", tmp_path / "encoders", "--config", write_small_config(tmp_path))
    assert said.count(" -> ") == 2
    assert (tmp_path / "encoders" / "speech" / "model.safetensors").exists()
    assert (tmp_path / "encoders" / "text" / "tokenizer.json").exists()


def test_validate_counts_a_cohort_and_ends_in_peace():
    said = run("validate", "examples/cohort/manifest.csv", "--task", "spectrum", "--role", "parent")
    assert "12 documents of 12 persons in 12 families, role parent" in said
    assert "0 errors" in said


def test_validate_ends_in_1_on_an_error(tmp_path):
    (tmp_path / "manifest.csv").write_text("person,family,recording,transcript,lable_spectrum\np1,f1,a.flac,,none\n")
    outcome = CliRunner().invoke(app, ["validate", str(tmp_path / "manifest.csv")])
    assert outcome.exit_code == 1
    assert "lable_spectrum" in outcome.output
    assert "2 errors" in outcome.output


def test_validate_refuses_outcomes_of_no_task():
    outcome = CliRunner().invoke(app, ["validate", "examples/cohort/manifest.csv", "--outcome", "none"])
    assert outcome.exit_code == 2
    assert "--task" in outcome.output


def write_transcripts(folder, **transcripts):
    rows = [f"{name},{name},,{name}.txt,none" for name in transcripts]
    (folder / "manifest.csv").write_text("\n".join(["person,family,recording,transcript,label_spectrum", *rows]))
    for name, content in transcripts.items():
        (folder / f"{name}.txt").write_bytes(content)
    return folder / "manifest.csv"


def test_precompute_stores_features_and_reports_their_number(encoders, tmp_path):
    manifest = write_transcripts(tmp_path, long=b"I slept badly this week, and then I went for a walk.", short=b"No.")
    said = run("precompute", manifest, "--encoders", encoders, "--store", tmp_path / "store", "--threads", 1)
    assert "2 recordings" in said
    assert "1 too poor to score" in said
    assert "text_too_short" in said
    assert len(list((tmp_path / "store").glob("*.features"))) == 2


def test_precompute_names_the_lines_it_could_not_read(encoders, tmp_path):
    manifest = write_transcripts(tmp_path, one=b"\xff\xfe\x00", two=b"We went for a walk.", three=b"\x00\x01")
    arguments = ["precompute", str(manifest), "--encoders", str(encoders), "--store", str(tmp_path / "store")]
    outcome = CliRunner().invoke(app, arguments)
    assert outcome.exit_code == 1
    assert [line.split("│")[1].strip() for line in outcome.output.splitlines() if "error" in line] == ["2", "4"]


def test_precompute_encodes_nothing_of_a_cohort_with_an_error(encoders, tmp_path):
    manifest = write_transcripts(tmp_path, one=b"We went for a walk.")
    (tmp_path / "one.txt").unlink()
    arguments = ["precompute", str(manifest), "--encoders", str(encoders), "--store", str(tmp_path / "store")]
    outcome = CliRunner().invoke(app, arguments)
    assert outcome.exit_code == 1
    assert "there is no such file" in " ".join(outcome.output.split())
    assert not (tmp_path / "store").exists()


def test_precompute_reports_the_source_of_its_encoders(tmp_path):
    manifest = write_transcripts(tmp_path, one=b"We went for a walk.")
    arguments = ["precompute", str(manifest), "--encoders", str(tmp_path), "--store", str(tmp_path / "store")]
    outcome = CliRunner().invoke(app, arguments)
    assert outcome.exit_code == 1
    assert "there is no encoder in speech" in outcome.output
    assert "export-encoder" in outcome.output


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
