from typing import Any

import pytest
import torch

from training.fit.resume import TrainingState, read_state, write_state

STATE = TrainingState(tensors={"a": torch.tensor([0.1, 2.0])}, meta={"at": 3, "kept": [1.5, None]})


def test_a_state_comes_back_bit_for_bit(tmp_path):
    write_state(tmp_path / "folder" / "state.safetensors", STATE)
    found = read_state(tmp_path / "folder" / "state.safetensors")
    assert torch.equal(found.tensors["a"], STATE.tensors["a"])
    assert found.meta == STATE.meta


def test_without_a_file_there_is_no_state(tmp_path):
    assert read_state(tmp_path / "state.safetensors") is None


def test_a_write_that_fails_leaves_the_old_state(tmp_path, monkeypatch):
    file = tmp_path / "state.safetensors"
    write_state(file, STATE)
    monkeypatch.setattr("training.fit.resume.os.fsync", lambda _: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        write_state(file, TrainingState(tensors={}, meta={"at": 9}))
    assert read_state(file).meta["at"] == 3


def test_numbers_in_the_meta_data_survive_as_they_are(tmp_path):
    values: list[Any] = [0.1, 1 / 3, 1e-310, float("inf")]
    write_state(tmp_path / "state.safetensors", TrainingState(tensors=STATE.tensors, meta={"values": values}))
    assert read_state(tmp_path / "state.safetensors").meta["values"] == values
