from pathlib import Path

import pytest
import torch
from pydantic import ValidationError

from model.config import NetworkSettings
from model.network.checkpoint import DESCRIPTION, WEIGHTS, NetworkDescription, build, load, save

DESCRIBED = NetworkDescription(
    audio_dim=6, text_dim=5, outcomes={"spectrum": ("none", "some")}, network=NetworkSettings(width=16, heads=2)
)


def test_a_checkpoint_comes_back_bit_for_bit(tmp_path: Path) -> None:
    network = build(DESCRIBED)
    save(tmp_path / "run", network, DESCRIBED)
    again, description = load(tmp_path / "run")
    assert description == DESCRIBED
    assert not again.training
    for name, tensor in network.state_dict().items():
        assert torch.equal(again.state_dict()[name], tensor)


def test_weights_of_another_shape_are_refused(tmp_path: Path) -> None:
    save(tmp_path, build(DESCRIBED), DESCRIBED)
    wider = DESCRIBED.model_copy(update={"audio_dim": 7})
    (tmp_path / DESCRIPTION).write_text(wider.model_dump_json())
    with pytest.raises(RuntimeError, match="size mismatch"):
        load(tmp_path)


def test_an_unknown_setting_is_refused(tmp_path: Path) -> None:
    save(tmp_path, build(DESCRIBED), DESCRIBED)
    (tmp_path / DESCRIPTION).write_text(DESCRIBED.model_dump_json().replace('"text_dim"', '"text_size"'))
    with pytest.raises(ValidationError):
        load(tmp_path)
    assert (tmp_path / WEIGHTS).exists()
