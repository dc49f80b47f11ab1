import numpy as np
import pytest
import torch
from tokenizers import Tokenizer
from transformers import AutoFeatureExtractor, AutoModel, AutoTokenizer

from training.config import SpeechEncoderSettings, StandinSettings, TextEncoderSettings
from training.synthetic.standins import make_standins

TINY = StandinSettings(
    speakers=2,
    seconds=4.0,
    writers=20,
    threads=1,
    speech=SpeechEncoderSettings(
        hidden=32, layers=1, heads=2, feedforward=32, convolution=16, clusters=4, steps=30, batch=4, crop_seconds=1.0
    ),
    text=TextEncoderSettings(vocabulary=400, hidden=32, layers=1, heads=2, feedforward=32, steps=40, batch=8),
)


@pytest.fixture(scope="module")
def standins(tmp_path_factory):
    said: list[str] = []
    speech, text = make_standins(tmp_path_factory.mktemp("standins"), TINY, said.append)
    return speech, text, said


def test_training_lowers_both_losses(standins):
    _, _, said = standins
    for line in said:
        before, after = map(float, line.split("loss ")[1].split(" -> "))
        assert after < before


def test_checkpoints_hold_safetensors_and_no_pickle(standins):
    speech, text, _ = standins
    assert {path.name for path in speech.iterdir()} == {
        "config.json",
        "model.safetensors",
        "preprocessor_config.json",
    }
    assert {path.name for path in text.iterdir()} == {
        "config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
    }


def test_the_text_checkpoint_loads_the_ordinary_way(standins):
    _, text, _ = standins
    tokenizer, encoder = AutoTokenizer.from_pretrained(text), AutoModel.from_pretrained(text).eval()
    assert (tokenizer.cls_token_id, tokenizer.pad_token_id, tokenizer.sep_token_id) == (0, 1, 2)
    batch = tokenizer(["My sister lives near the river.", "Yes."], padding=True, return_tensors="pt")
    states = encoder(**batch).last_hidden_state
    assert states.shape == (*batch["input_ids"].shape, 32)
    assert torch.isfinite(states).all()


def test_the_tokenizer_file_alone_gives_the_same_ids(standins):
    _, text, _ = standins
    sentence = "Well, my sister drinks café crème — at nine."
    alone = Tokenizer.from_file(str(text / "tokenizer.json"))
    ordinary = AutoTokenizer.from_pretrained(text)
    assert alone.encode(sentence).ids == ordinary(sentence)["input_ids"]
    assert ordinary.decode(ordinary(sentence)["input_ids"], skip_special_tokens=True) == sentence


def test_padding_does_not_change_what_the_speech_encoder_hears(standins):
    speech, _, _ = standins
    extractor, encoder = AutoFeatureExtractor.from_pretrained(speech), AutoModel.from_pretrained(speech).eval()
    short, long = (np.random.default_rng(seed).standard_normal(n) for seed, n in ((1, 16000), (2, 40000)))
    with torch.no_grad():
        alone = encoder(**extractor(short, sampling_rate=16000, return_tensors="pt")).last_hidden_state[0]
        beside = encoder(
            **extractor([short, long], sampling_rate=16000, padding=True, return_tensors="pt")
        ).last_hidden_state[0]
    assert alone.shape == (49, 32)
    assert torch.allclose(alone, beside[:49], atol=1e-4)
