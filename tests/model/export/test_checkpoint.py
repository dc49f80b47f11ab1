import json
import shutil
from pathlib import Path

import pytest
import torch
from transformers import CamembertConfig, CamembertModel

from model.errors import CheckpointUnreadable, ModelError, UnsupportedEncoder
from model.export.architectures.loaded_encoder import ExportRequest
from model.export.architectures.text import load_roberta
from model.export.checkpoint import open_checkpoint
from model.export.encoder import ExportOptions, export_encoder

SIZES = {
    "hidden_size": 24,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "intermediate_size": 48,
    "max_position_embeddings": 66,
    "type_vocab_size": 1,
}


def changed(checkpoint: Path, folder: Path, **settings: object) -> Path:
    """A copy with other numbers in its configuration."""
    copy = Path(shutil.copytree(checkpoint, folder))
    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps(config | settings))
    return copy


def without(checkpoint: Path, folder: Path, pattern: str) -> Path:
    copy = Path(shutil.copytree(checkpoint, folder))
    files = list(copy.glob(pattern))
    assert files
    for file in files:
        file.unlink()
    return copy


def refusal(checkpoint: Path | str, folder: Path, kind: type[ModelError], options: ExportOptions | None = None) -> str:
    """What is said, and that nothing is left behind."""
    with pytest.raises(kind) as refused:
        export_encoder(str(checkpoint), folder / "made" / "encoder", options=options)
    assert not (folder / "made").exists() or not list((folder / "made").iterdir())
    return f"{refused.value.detail}. {refused.value.advice}"


def test_a_folder_that_is_not_there_is_refused_in_words(tmp_path: Path) -> None:
    said = refusal(tmp_path / "nothing", tmp_path, CheckpointUnreadable)
    assert "the checkpoint cannot be opened" in said
    assert "a name on the hub" in said


@pytest.mark.parametrize("config", ['{"model_type": "elsewhere"}', "{}"])
def test_an_architecture_that_transformers_does_not_know_is_refused(config: str, tmp_path: Path) -> None:
    (tmp_path / "unknown").mkdir()
    (tmp_path / "unknown" / "config.json").write_text(config)
    assert "camembert, hubert" in refusal(tmp_path / "unknown", tmp_path, UnsupportedEncoder)


def test_t5s_with_positions_of_their_own_in_every_layer_are_refused(t5: Path, tmp_path: Path) -> None:
    assert "'umt5'" in refusal(changed(t5, tmp_path / "umt5", model_type="umt5"), tmp_path, UnsupportedEncoder)


def test_a_checkpoint_without_tokenizer_is_refused_and_told_how_to_make_one(roberta: Path, tmp_path: Path) -> None:
    said = refusal(without(roberta, tmp_path / "bare", "tokenizer*"), tmp_path, CheckpointUnreadable)
    assert "an empty vocabulary" in said
    assert "tokenizer.json" in said


def test_a_tokenizer_of_a_larger_vocabulary_is_refused(roberta: Path, tmp_path: Path) -> None:
    said = refusal(changed(roberta, tmp_path / "small", vocab_size=20), tmp_path, CheckpointUnreadable)
    assert "more tokens than the network" in said


def test_a_checkpoint_without_preprocessor_is_refused(hubert_base: Path, whisper: Path, tmp_path: Path) -> None:
    for number, checkpoint in enumerate((hubert_base, whisper)):
        bare = without(checkpoint, tmp_path / f"bare-{number}", "preprocessor_config.json")
        assert "preprocessor_config.json" in refusal(bare, tmp_path, CheckpointUnreadable)


def test_weights_that_are_missing_are_not_made_up(roberta: Path, hubert_base: Path, tmp_path: Path) -> None:
    deeper = changed(roberta, tmp_path / "deeper", num_hidden_layers=4)
    assert "lacks weights" in refusal(deeper, tmp_path, CheckpointUnreadable)
    bare = without(hubert_base, tmp_path / "bare", "*.safetensors")
    assert "weights cannot be read" in refusal(bare, tmp_path, CheckpointUnreadable)


@pytest.mark.parametrize("layers", [(0, 1), (4,), ()])
def test_layers_that_the_network_does_not_have_are_refused(
    layers: tuple[int, ...], roberta: Path, tmp_path: Path
) -> None:
    said = refusal(roberta, tmp_path, UnsupportedEncoder, ExportOptions(layers=layers))
    assert "numbered from 1 to 3" in said


def test_layers_are_kept_in_order_and_once(tmp_path: Path) -> None:
    assert ExportRequest(folder=tmp_path, layers=(9, 7, 7)).layers_of(12) == (7, 9)
    assert ExportRequest(folder=tmp_path).layers_of(12) is None


def test_camembert_gives_its_own_features_by_robertas_code(roberta: Path, tmp_path: Path) -> None:
    torch.manual_seed(0)
    folder = Path(shutil.copytree(roberta, tmp_path / "camembert"))
    vocabulary = json.loads((roberta / "config.json").read_text())["vocab_size"]
    camembert = CamembertModel(CamembertConfig(vocab_size=vocabulary, **SIZES), add_pooling_layer=False).eval()
    camembert.save_pretrained(folder)
    loaded = load_roberta(open_checkpoint(str(folder), None, {"camembert"}), ExportRequest(folder=tmp_path))
    assert loaded.description.architecture == "camembert"
    tokens = torch.randint(5, 60, (1, 12))
    with torch.no_grad():
        expected = camembert(input_ids=tokens).last_hidden_state.mean(dim=1)
        torch.testing.assert_close(loaded.module(tokens, torch.tensor([12])), expected)
