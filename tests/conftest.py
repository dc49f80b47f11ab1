"""Shapes are types, and under pytest they are checked at every call (DESIGN, convention 2).

The small checkpoints and the small bundle below go through the ordinary loading and export code;
their weights are random, for nothing here is about how well they predict.
"""

import signal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from jaxtyping import install_import_hook

from tests.chance import give_threads_their_own_generators
from tests.sharing import made_once

give_threads_their_own_generators()
install_import_hook("model", "beartype.beartype")

# How long an example takes says more about the machine than about the code.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")

pytest_plugins = ["tests.distribution", "tests.graphs", "tests.servers", "tests.tracing", "tests.worksite"]

# A run started in the background of a script, or under nohup, ignores these signals, and so would every process
# that a test starts; the tests that interrupt theirs need the defaults back.
DEFAULT_HANDLERS: dict[int, Any] = {signal.SIGINT: signal.default_int_handler, signal.SIGHUP: signal.SIG_DFL}
for number, default in DEFAULT_HANDLERS.items():
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, default)

CARD = Path(__file__).parents[1] / "training" / "card" / "demonstration.yaml"
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
def whisper(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint shaped like Whisper, with windows of 3 s."""
    import torch
    from transformers import WhisperConfig, WhisperFeatureExtractor, WhisperModel

    folder = tmp_path_factory.mktemp("checkpoints") / "whisper"
    torch.manual_seed(0)
    sizes = {f"{part}_{size}": number for part in ("encoder", "decoder") for size, number in _WHISPER.items()}
    tokens = {"vocab_size": 8, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "decoder_start_token_id": 1}
    config = WhisperConfig(d_model=32, max_source_positions=150, max_target_positions=8, **sizes, **tokens)
    WhisperModel(config).save_pretrained(folder)
    WhisperFeatureExtractor(chunk_length=3).save_pretrained(folder)
    return folder


_WHISPER = {"layers": 5, "attention_heads": 2, "ffn_dim": 48}


@pytest.fixture(scope="session")
def t5(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint shaped like T5 from version 1.1 on: gated feed-forward blocks."""
    import torch
    from transformers import T5Config, T5EncoderModel, T5Tokenizer

    folder = tmp_path_factory.mktemp("checkpoints") / "t5"
    letters = [(f"{space}{letter}", -3.0) for space in ("▁", "") for letter in "abcdefghijklmnopqrstuvwxyzINW.,"]
    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -2.0), *letters]
    tokenizer = T5Tokenizer(vocab=pieces, extra_ids=2)
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    config = T5Config(
        vocab_size=len(tokenizer),
        d_model=24,
        d_kv=12,
        d_ff=48,
        num_layers=5,
        num_heads=2,
        feed_forward_proj="gated-gelu",
    )
    T5EncoderModel(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
@made_once
def other_encoders(whisper: Path, t5: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the encoders of the other two architectures exported, `speech` and `text`."""
    from model.export.encoder import export_encoder

    folder = tmp_path_factory.mktemp("encoders")
    export_encoder(str(whisper), folder / "speech")
    export_encoder(str(t5), folder / "text")
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
    """A released bundle of untrained weights, not signed: width 16, task `spectrum` of three outcomes."""
    import numpy as np
    import torch

    from model.bundle.manifest import Calibration, Manifest, Task, TaskCalibration
    from model.features import SegmentChunk, SegmentMaterial
    from model.network.hilbert import Hilbert
    from training.release.bundle import ReleaseParts, release

    folder = tmp_path_factory.mktemp("bundles") / "small"
    torch.manual_seed(0)
    network = Hilbert(audio_dim=32, text_dim=24, outcomes={"spectrum": 3}, width=16, heads=2)
    noise = np.random.default_rng(0).integers(-3000, 3000, size=(2, 16_000), dtype=np.int16)
    segments = (
        SegmentMaterial(index=0, time=0.5, samples=noise[0], text=SENTENCES[0]),
        SegmentMaterial(index=1, time=2.0, samples=noise[1, :12_000], text=SENTENCES[1]),
    )
    calibration = Calibration(
        tasks={"spectrum": TaskCalibration(temperature=1.3, prior=(0.7, 0.2, 0.1))},
        audio_mean=(0.1,) * 32,
        text_mean=(0.1,) * 24,
    )
    task = Task(name="spectrum", outcomes=("none", "mild", "severe"))
    parts = ReleaseParts(
        network=network,
        calibration=calibration,
        encoders=encoders,
        manifest=Manifest(name="small", version="0", demonstration=True, tasks=(task,), encoders={}, files={}),
        golden=SegmentChunk(segments=segments),
        card=CARD,
        threads=1,
    )
    release(parts, folder)
    return folder


@pytest.fixture(scope="session")
def signing_key():
    """A private key made for this run."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return Ed25519PrivateKey.generate()


@pytest.fixture(scope="session")
def signed_bundle(small_bundle: Path, signing_key, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small bundle, signed."""
    import shutil
    from datetime import UTC, datetime

    from model.bundle.signature import write_signature

    folder = Path(shutil.copytree(small_bundle, tmp_path_factory.mktemp("bundles") / "signed"))
    write_signature(folder, signing_key, datetime(2026, 11, 24, 12, tzinfo=UTC))
    return folder


@pytest.fixture(scope="session")
def swapped_bundle(small_bundle: Path, signing_key, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small bundle with another network, its digests and signature made anew: only its answers are wrong."""
    import shutil
    from datetime import UTC, datetime

    import onnx

    from model.bundle.bundle import open_bundle, seal
    from model.bundle.manifest import NETWORK
    from model.bundle.signature import write_signature

    folder = Path(shutil.copytree(small_bundle, tmp_path_factory.mktemp("bundles") / "swapped"))
    graph = onnx.load(folder / NETWORK)
    for weights in graph.graph.initializer:
        if weights.data_type == onnx.TensorProto.FLOAT and len(weights.dims) == 2:
            weights.CopyFrom(
                onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(weights)[::-1].copy(), weights.name)
            )
    onnx.save(graph, folder / NETWORK)
    seal(folder, open_bundle(small_bundle).manifest)
    write_signature(folder, signing_key, datetime(2026, 11, 24, 12, tzinfo=UTC))
    return folder


@pytest.fixture(scope="session")
def short_interview(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Half a minute of the synthetic cohort, and its transcript."""
    from training.cohort.manifest import read_cohort
    from training.config import CohortSettings
    from training.synthetic.cohort import write_cohort

    folder = tmp_path_factory.mktemp("cohorts")
    (row,) = read_cohort(write_cohort(folder, 1, CohortSettings(speakers=1, seconds=25))).rows
    return folder / row.recording, folder / row.transcript
