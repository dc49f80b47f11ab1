"""Shapes are types, and under pytest they are checked at every call (DESIGN, convention 2).

The small checkpoints and the small bundle below go through the ordinary loading and export code;
their weights are random, for nothing here is about how well they predict.
"""

import signal
from pathlib import Path

import pytest
from jaxtyping import install_import_hook

from tests.sharing import made_once

install_import_hook("model", "beartype.beartype")

pytest_plugins = ["tests.distribution", "tests.servers", "tests.tracing"]

# A run started in the background of a script, or under nohup, ignores these signals, and so would every process
# that a test starts; the tests that interrupt theirs need the defaults back.
for number, default in {signal.SIGINT: signal.default_int_handler, signal.SIGHUP: signal.SIG_DFL}.items():
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, default)

SENTENCES = [
    "I slept badly this week.",
    "We went for a walk by the river.",
    "Work was fine, thank you.",
    "Not much, really.",
]


def _hubert(folder: Path, norm: str) -> Path:
    import torch
    from transformers import HubertConfig, HubertModel, Wav2Vec2FeatureExtractor

    torch.manual_seed(0)
    config = HubertConfig(
        hidden_size=32,
        num_hidden_layers=3,
        num_attention_heads=2,
        intermediate_size=48,
        conv_dim=[16] * 7,
        feat_extract_norm=norm,
        do_stable_layer_norm=norm == "layer",
        num_conv_pos_embeddings=16,
        num_conv_pos_embedding_groups=4,
    )
    HubertModel(config).save_pretrained(folder)
    Wav2Vec2FeatureExtractor(do_normalize=True, return_attention_mask=norm == "layer").save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def hubert_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint shaped like HuBERT-base: group norm over time in the first convolution."""
    return _hubert(tmp_path_factory.mktemp("checkpoints") / "hubert-base", "group")


@pytest.fixture(scope="session")
def hubert_large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint shaped like HuBERT-large: layer norm in every convolution, stable layer norm."""
    return _hubert(tmp_path_factory.mktemp("checkpoints") / "hubert-large", "layer")


@pytest.fixture(scope="session")
def roberta(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint shaped like RoBERTa, with a window of 64 tokens."""
    import torch
    from tokenizers import ByteLevelBPETokenizer
    from tokenizers.processors import RobertaProcessing
    from transformers import RobertaConfig, RobertaModel, RobertaTokenizerFast

    folder = tmp_path_factory.mktemp("checkpoints") / "roberta"
    bpe = ByteLevelBPETokenizer()
    bpe.train_from_iterator(
        SENTENCES, vocab_size=320, special_tokens=["<s>", "<pad>", "</s>", "<unk>", "<mask>"], show_progress=False
    )
    bpe.post_processor = RobertaProcessing(("</s>", 2), ("<s>", 0))
    RobertaTokenizerFast(tokenizer_object=bpe._tokenizer).save_pretrained(folder)
    torch.manual_seed(0)
    config = RobertaConfig(
        vocab_size=bpe.get_vocab_size(),
        hidden_size=24,
        num_hidden_layers=3,
        num_attention_heads=2,
        intermediate_size=48,
        max_position_embeddings=66,
        type_vocab_size=1,
    )
    RobertaModel(config, add_pooling_layer=False).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
@made_once
def encoders(hubert_base: Path, roberta: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with both encoders exported, `speech` and `text`."""
    from model.export.encoder import export_encoder

    folder = tmp_path_factory.mktemp("encoders")
    export_encoder(str(hubert_base), folder / "speech")
    export_encoder(str(roberta), folder / "text")
    return folder


@pytest.fixture(scope="session")
@made_once
def small_bundle(encoders: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sealed bundle of untrained weights: width 16, task `spectrum` of three outcomes."""
    import shutil

    import torch

    from model.bundle.bundle import seal
    from model.bundle.manifest import CALIBRATION, NETWORK, Calibration, Manifest, Task, TaskCalibration
    from model.export.network import export_network
    from model.network.hilbert import Hilbert

    folder = tmp_path_factory.mktemp("bundles") / "small"
    shutil.copytree(encoders, folder)
    torch.manual_seed(0)
    network = Hilbert(audio_dim=32, text_dim=24, outcomes={"spectrum": 3}, width=16, heads=2)
    export_network(network, tasks=["spectrum"], file=folder / NETWORK)
    calibration = Calibration(
        tasks={"spectrum": TaskCalibration(temperature=1.3, prior=(0.7, 0.2, 0.1))},
        audio_mean=(0.1,) * 32,
        text_mean=(0.1,) * 24,
    )
    (folder / CALIBRATION).write_text(calibration.model_dump_json())
    task = Task(name="spectrum", outcomes=("none", "mild", "severe"))
    seal(folder, Manifest(name="small", version="0", demonstration=True, tasks=(task,), encoders={}, files={}))
    return folder
