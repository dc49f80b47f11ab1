"""One suite for the stand-ins of Whisper and T5: trained a little, ordinary files, the same each time."""

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer
from transformers import AutoFeatureExtractor, AutoModelForTextEncoding, AutoTokenizer, WhisperModel

from training.config import StandinSettings, TextEncoderSettings, WhisperSettings
from training.synthetic.standins import make_standin

TINY = StandinSettings(
    speakers=2,
    seconds=4.0,
    writers=20,
    threads=1,
    whisper=WhisperSettings(
        hidden=32,
        layers=1,
        heads=2,
        feedforward=32,
        clusters=4,
        steps=30,
        window_seconds=2,
        shortest_seconds=1.0,
        learning_rate=3e-3,
    ),
    t5=TextEncoderSettings(vocabulary=400, hidden=32, layers=1, heads=2, feedforward=32, steps=40, batch=8),
)
FILES = {"whisper": {"preprocessor_config.json"}, "t5": {"tokenizer.json", "tokenizer_config.json"}}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("standins")
    said: list[str] = []
    return {name: make_standin(name, folder / name, TINY, said.append) for name in FILES}, said


def test_training_lowers_both_losses(made):
    _, said = made
    assert len(said) == 2
    for line in said:
        before, after = map(float, line.split("loss ")[1].split(" -> "))
        assert after < before


@pytest.mark.parametrize("architecture", FILES)
def test_checkpoints_hold_safetensors_and_no_pickle(architecture, made):
    names = {path.name for path in made[0][architecture].iterdir()}
    assert names == {"config.json", "model.safetensors"} | FILES[architecture]


@pytest.mark.parametrize("architecture", FILES)
def test_equal_arguments_give_equal_files(architecture, made, tmp_path):
    steps = {architecture: getattr(TINY, architecture).model_copy(update={"steps": 2})}
    short = TINY.model_copy(update=steps)
    one, other = (make_standin(architecture, tmp_path / name, short, lambda _: None) for name in ("one", "other"))
    for file in one.iterdir():
        assert file.read_bytes() == (other / file.name).read_bytes()
    longer = made[0][architecture]
    assert (one / "model.safetensors").read_bytes() != (longer / "model.safetensors").read_bytes()


def test_the_whisper_checkpoint_loads_the_ordinary_way(made):
    folder = made[0]["whisper"]
    encoder = WhisperModel.from_pretrained(folder).eval().encoder
    bands = AutoFeatureExtractor.from_pretrained(folder)(np.zeros(9000), sampling_rate=16000, return_tensors="pt")
    with torch.no_grad():
        assert encoder(bands.input_features).last_hidden_state.shape == (1, 100, 32)


def test_the_t5_checkpoint_loads_the_ordinary_way(made):
    folder = made[0]["t5"]
    tokenizer, encoder = AutoTokenizer.from_pretrained(folder), AutoModelForTextEncoding.from_pretrained(folder).eval()
    assert (tokenizer.pad_token_id, tokenizer.eos_token_id, tokenizer.unk_token_id) == (0, 1, 2)
    batch = tokenizer(["My sister lives near the river.", "Yes."], padding=True, return_tensors="pt")
    with torch.no_grad():
        states = encoder(**batch).last_hidden_state
    assert states.shape == (*batch["input_ids"].shape, 32)
    assert torch.isfinite(states).all()


def test_the_t5_tokenizers_file_alone_gives_the_same_ids(made):
    folder = made[0]["t5"]
    sentence = "Well, my sister drinks café crème at nine."
    ids = Tokenizer.from_file(str(folder / "tokenizer.json")).encode(sentence).ids
    assert ids == AutoTokenizer.from_pretrained(folder)(sentence)["input_ids"]
    assert ids[-1] == 1
