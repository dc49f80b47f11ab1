from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from model.encoders.description import read_description
from model.encoders.runtime import RuntimeOptions
from model.encoders.text import TextEncoder
from model.export.parity import read_report
from training.cli.app import app
from training.cli.export import EXAMPLES

WORDS = "Well, not much really."


def write_sentencepiece(file: Path) -> None:
    """A vocabulary of letters, as SentencePiece keeps one."""
    from sentencepiece import sentencepiece_model_pb2 as form

    letters = [f"{space}{letter}" for space in ("▁", "") for letter in "abcdefghijklmnopqrstuvwxyzINWM.,!-"]
    model = form.ModelProto()
    for piece, kind in [("<unk>", 2), ("<s>", 3), ("</s>", 3), ("▁", 1), *((letter, 1) for letter in letters)]:
        model.pieces.add(piece=piece, score=-2.0, type=kind)
    model.trainer_spec.model_type = 1
    model.normalizer_spec.add_dummy_prefix = True
    file.write_bytes(model.SerializeToString())


@pytest.fixture(scope="module")
def multilingual(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An XLM-RoBERTa of two layers whose tokenizer comes as a SentencePiece model alone."""
    from transformers import XLMRobertaConfig, XLMRobertaModel

    folder = tmp_path_factory.mktemp("checkpoints") / "xlm-roberta"
    torch.manual_seed(0)
    sizes = {"hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 48}
    config = XLMRobertaConfig(vocab_size=90, max_position_embeddings=66, type_vocab_size=1, **sizes)
    XLMRobertaModel(config, add_pooling_layer=False).save_pretrained(folder)
    write_sentencepiece(folder / "sentencepiece.bpe.model")
    return folder


def first_layer(checkpoint: Path) -> np.ndarray:
    """The mean over tokens of layer 1, from the checkpoint's own code."""
    from transformers import AutoTokenizer, XLMRobertaModel

    model = XLMRobertaModel.from_pretrained(checkpoint, add_pooling_layer=False).eval()
    tokens = AutoTokenizer.from_pretrained(checkpoint)(WORDS, return_tensors="pt")
    assert tokens["input_ids"].shape[1] > 15
    with torch.no_grad():
        return model(**tokens, output_hidden_states=True).hidden_states[1].mean(dim=1)[0].numpy()


def test_a_multilingual_encoder_is_exported_in_half_precision_with_its_sentencepiece_tokenizer(multilingual, tmp_path):
    out = tmp_path / "text"
    chosen = ["--precision", "float16", "--layers", "1", "--probe-transcript", str(EXAMPLES / "interview.vtt")]
    outcome = CliRunner().invoke(app, ["export-encoder", str(multilingual), "--out", str(out), *chosen])
    assert outcome.exit_code == 0, outcome.output
    found, report = read_description(out), read_report(out)
    assert (found.architecture, found.precision, found.layers) == ("xlm-roberta", "float16", (1,))
    assert (found.longest, found.pad_id, found.revision) == (64, 1, None)
    assert [probe.probe for probe in report.probes][-2:] == ["sentences", "real words"]
    assert 0 < report.of_spread < 0.05
    assert all(probe.probe in outcome.output for probe in report.probes)
    assert "relative to its spread" in outcome.output
    assert "float16, 24 features of layers 1, within" in " ".join(outcome.output.split())
    features = TextEncoder(out, RuntimeOptions(threads=1)).encode([WORDS])[0]
    expected = first_layer(multilingual)
    assert np.linalg.norm(features - expected) <= 2e-3 * np.linalg.norm(expected)


def test_what_cannot_be_exported_is_refused_without_a_traceback(tmp_path):
    arguments = ["export-encoder", str(tmp_path / "nothing"), "--out", str(tmp_path / "out"), "--layers", "1"]
    outcome = CliRunner().invoke(app, [*arguments, "--probe-transcript", str(EXAMPLES / "interview.vtt")])
    assert outcome.exit_code == 1
    assert "the checkpoint cannot be opened" in outcome.output
    assert "Traceback" not in outcome.output
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("wrong", [["--layers", "7;8"], ["--layers", "last"], ["--precision", "int4"]])
def test_choices_that_cannot_be_understood_are_refused(wrong, tmp_path):
    outcome = CliRunner().invoke(app, ["export-encoder", "x", "--out", str(tmp_path / "out"), *wrong])
    assert outcome.exit_code == 2
    assert not (tmp_path / "out").exists()
