import json
import shutil

import pytest
import torch
from typer.testing import CliRunner

from model.bundle.bundle import open_bundle
from model.bundle.keys import read_public_key
from model.bundle.manifest import Calibration, TaskCalibration
from model.bundle.signature import Trust
from model.config import NetworkSettings, QualitySettings, SegmentSettings
from model.network.checkpoint import NetworkDescription, build
from model.pipeline import Pipeline
from tests.training.card.plain import write_plain_card
from training.cli.app import app
from training.release.checkpoint import PreparationSettings, ReleaseCheckpoint, save_checkpoint

METRICS = {"arms": [{"macro_auroc": {"value": 0.7251}}]}


def invoke(*arguments):
    return CliRunner().invoke(app, [str(one) for one in arguments])


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    """A checkpoint, a pair of keys, a recording, an evaluation and a card that quotes it."""
    folder = tmp_path_factory.mktemp("work")
    torch.manual_seed(0)
    description = NetworkDescription(
        audio_dim=32,
        text_dim=24,
        outcomes={"spectrum": ("none", "mild")},
        network=NetworkSettings(width=8, heads=2, experts=2),
    )
    checkpoint = ReleaseCheckpoint(
        network=build(description).eval(),
        description=description,
        calibration=Calibration(
            tasks={"spectrum": TaskCalibration(temperature=1.0, prior=(0.8, 0.2))},
            audio_mean=(0.0,) * 32,
            text_mean=(0.0,) * 24,
        ),
        preparation=PreparationSettings(
            segments=SegmentSettings(shortest=3.0, longest=6.0), quality=QualitySettings(least_speech=1.0)
        ),
        about={"seed": 7},
    )
    save_checkpoint(folder / "checkpoint", checkpoint)
    assert invoke("keygen", "--out", folder / "release.key").exit_code == 0
    (folder / "metrics.json").write_text(json.dumps(METRICS))
    write_plain_card(folder / "card.yaml", Interpretation="Macro AUROC {{ /arms/0/macro_auroc/value | .3f }}.")
    return folder


@pytest.fixture(scope="module")
def arguments(work, encoders, short_interview):
    return {
        "--checkpoint": work / "checkpoint",
        "--encoders": encoders,
        "--card": work / "card.yaml",
        "--golden-audio": short_interview[0],
        "--golden-transcript": short_interview[1],
        "--name": "tried",
        "--version": "0.2.0",
        "--key": work / "release.key",
        "--evaluation": work / "metrics.json",
    }


def release(arguments, out):
    return invoke("release", *(part for pair in arguments.items() for part in pair), "--out", out)


@pytest.fixture(scope="module")
def released(arguments, work):
    done = release(arguments, work / "bundle")
    assert done.exit_code == 0, done.output
    return work / "bundle"


def test_a_checkpoint_becomes_a_bundle_that_its_public_key_vouches_for(released, work):
    key = read_public_key((work / "release.key.pub").read_bytes())
    pipeline = Pipeline.open(released, threads=1, trust=Trust(keys=(key,), required=True))
    assert pipeline.warm_up().tolerable
    manifest = pipeline.manifest
    assert (manifest.name, manifest.version, manifest.demonstration) == ("tried", "0.2.0", False)
    assert manifest.segments.shortest == 3.0
    assert manifest.quality.least_speech == 1.0


def test_the_card_quotes_the_evaluation(released):
    assert '<span data-metric="/arms/0/macro_auroc/value">0.725</span>' in (released / "README.md").read_text()
    done = invoke("check-card", released)
    assert done.exit_code == 0
    assert "1 numbers" in done.output


def test_a_card_that_was_edited_fails_the_check(released, tmp_path):
    copy = shutil.copytree(released, tmp_path / "bundle")
    readme = copy / "README.md"
    readme.write_text(readme.read_text().replace(">0.725<", ">0.925<"))
    done = invoke("check-card", copy)
    assert done.exit_code == 1
    assert "the card says 0.925, the evaluation 0.7251" in done.output


def test_a_bundle_can_be_signed_later_and_elsewhere(released, tmp_path):
    copy = shutil.copytree(released, tmp_path / "bundle")
    (copy / "signature.json").unlink()
    invoke("keygen", "--out", tmp_path / "other.key")
    done = invoke("sign", copy, "--key", tmp_path / "other.key")
    assert done.exit_code == 0, done.output
    other, first = open_bundle(copy).signature, open_bundle(released).signature
    assert other.key != first.key
    assert other.key in done.output


def test_what_cannot_be_signed_is_not(released, swapped_bundle, work, tmp_path):
    copy = shutil.copytree(swapped_bundle, tmp_path / "bundle")
    before = (copy / "signature.json").read_text()
    done = invoke("sign", copy, "--key", work / "release.key")
    assert done.exit_code == 1
    assert "golden recording" in done.output
    assert (copy / "signature.json").read_text() == before


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"--checkpoint": "empty"}, "the checkpoint has no network.json"),
        ({"--evaluation": "no metrics"}, "the evaluation has nothing at /arms/0/macro_auroc/value"),
        ({"--key": "no metrics"}, "not a private key"),
        ({"--golden-transcript": "no words"}, "no segment with both speech and words"),
    ],
)
def test_a_refused_release_gives_a_reason_and_leaves_no_files(arguments, tmp_path, changes, said):
    (tmp_path / "empty").mkdir()
    (tmp_path / "no metrics").write_text("{}")
    (tmp_path / "no words").write_text("Well.")
    changed = {name: tmp_path / value for name, value in changes.items()}
    done = release({**arguments, **changed}, tmp_path / "bundles" / "new")
    assert done.exit_code == 1
    assert said in done.output
    assert "Traceback" not in done.output
    assert not (tmp_path / "bundles").exists() or list((tmp_path / "bundles").iterdir()) == []
