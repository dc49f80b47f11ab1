import json

import pytest
import torch

from model.bundle.manifest import Calibration, TaskCalibration
from model.config import NetworkSettings, SegmentSettings
from model.network.checkpoint import NetworkDescription, build
from training.errors import CheckpointError
from training.release.checkpoint import PreparationSettings, ReleaseCheckpoint, load_checkpoint, save_checkpoint

DESCRIPTION = NetworkDescription(
    audio_dim=3,
    text_dim=2,
    outcomes={"spectrum": ("none", "mild")},
    network=NetworkSettings(width=8, heads=2, experts=2),
)
CALIBRATION = Calibration(
    tasks={"spectrum": TaskCalibration(temperature=1.5, prior=(0.8, 0.2))}, audio_mean=(0.0,) * 3, text_mean=(0.0,) * 2
)


@pytest.fixture
def folder(tmp_path):
    torch.manual_seed(0)
    checkpoint = ReleaseCheckpoint(
        network=build(DESCRIPTION),
        description=DESCRIPTION,
        calibration=CALIBRATION,
        preparation=PreparationSettings(segments=SegmentSettings(shortest=5.0)),
        about={"seed": 7, "data": {"cohort": "ab12"}},
    )
    save_checkpoint(tmp_path, checkpoint)
    return tmp_path


def test_a_checkpoint_is_read_as_it_was_written(folder):
    found = load_checkpoint(folder)
    assert (found.description, found.calibration) == (DESCRIPTION, CALIBRATION)
    assert found.preparation.segments.shortest == 5.0
    assert found.about == {"seed": 7, "data": {"cohort": "ab12"}}
    torch.manual_seed(0)
    expected = build(DESCRIPTION).state_dict()
    assert all(torch.equal(tensor, expected[name]) for name, tensor in found.network.state_dict().items())


def test_what_is_optional_may_be_missing(folder):
    (folder / "about.json").unlink()
    (folder / "preparation.json").unlink()
    found = load_checkpoint(folder)
    assert found.about is None
    # A checkpoint of a time before levels leaves the voices as recorded.
    assert found.preparation == PreparationSettings(segments=SegmentSettings(level=None))


@pytest.mark.parametrize("name", ["calibration.json", "network.json", "network.safetensors"])
def test_a_missing_part_is_named(folder, name):
    (folder / name).unlink()
    with pytest.raises(CheckpointError, match=name):
        load_checkpoint(folder)


@pytest.mark.parametrize(
    "name", ["calibration.json", "network.json", "network.safetensors", "about.json", "preparation.json"]
)
def test_a_malformed_part_is_refused(folder, name):
    (folder / name).write_text("[1]")
    with pytest.raises(CheckpointError, match="malformed"):
        load_checkpoint(folder)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"audio_mean": [0.0] * 4}, "different dimensions"),
        ({"tasks": {"mood": {"temperature": 1.0, "prior": [0.5, 0.5]}}}, "tasks"),
        ({"tasks": {"spectrum": {"temperature": 1.0, "prior": [0.5, 0.3, 0.2]}}}, "outcomes"),
    ],
)
def test_a_calibration_of_another_network_is_refused(folder, changes, named):
    file = folder / "calibration.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))
    with pytest.raises(CheckpointError, match=named):
        load_checkpoint(folder)


def test_weights_of_another_network_are_refused(folder):
    file = folder / "network.json"
    file.write_text(file.read_text().replace('"width": 8', '"width": 16'))
    with pytest.raises(CheckpointError, match="another network"):
        load_checkpoint(folder)
