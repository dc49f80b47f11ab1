"""Checkpoints of real sizes with random weights, made where no hub is at hand, and what a pass through them costs."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import WhitespaceSplit
from tokenizers.processors import TemplateProcessing
from transformers import (
    HubertConfig,
    HubertModel,
    PreTrainedTokenizerFast,
    RobertaConfig,
    RobertaModel,
    T5Config,
    T5EncoderModel,
    Wav2Vec2FeatureExtractor,
    WhisperConfig,
    WhisperFeatureExtractor,
    WhisperModel,
)

from bench.encoding.loads import WORDS
from model.export.probes import TEXTS

SAMPLE_RATE = 16_000


def make_checkpoint(name: str, folder: Path) -> Path:
    """A Hugging Face checkpoint of that size; one that is there already is taken."""
    if not (folder / "model.safetensors").exists():
        torch.manual_seed(0)
        MAKERS[name](folder)
    return folder


def flops(folder: Path, length: int) -> tuple[float, float]:
    """Floating point operations of one segment, unpadded: (front end, transformer); a multiply and add are two.

    `length` is in samples for speech and in tokens for text. Matrix products, attention and convolutions only.
    """
    config = json.loads((folder / "config.json").read_text())
    return COUNTERS[config["model_type"]](config, length)


def _hubert(folder: Path, *, large: bool = False) -> None:
    sizes = {}
    if large:
        sizes = {
            "hidden_size": 1024,
            "num_hidden_layers": 24,
            "num_attention_heads": 16,
            "intermediate_size": 4096,
            "feat_extract_norm": "layer",
            "conv_bias": True,
            "do_stable_layer_norm": True,
        }
    HubertModel(HubertConfig(**sizes)).save_pretrained(folder)
    Wav2Vec2FeatureExtractor(do_normalize=large, return_attention_mask=large).save_pretrained(folder)


def _whisper(folder: Path, width: int, layers: int, heads: int) -> None:
    config = WhisperConfig(
        d_model=width,
        encoder_layers=layers,
        decoder_layers=1,
        encoder_attention_heads=heads,
        decoder_attention_heads=heads,
        encoder_ffn_dim=4 * width,
        decoder_ffn_dim=4 * width,
    )
    WhisperModel(config).save_pretrained(folder)
    WhisperFeatureExtractor().save_pretrained(folder)


def _roberta(folder: Path) -> None:
    sizes = {"vocab_size": 50_265, "max_position_embeddings": 514, "type_vocab_size": 1, "layer_norm_eps": 1e-5}
    RobertaModel(RobertaConfig(**sizes)).save_pretrained(folder)
    _tokenizer(folder, ["<s>", "<pad>", "</s>", "<unk>"], "<s> $A </s>")


def _t5(folder: Path) -> None:
    T5EncoderModel(T5Config(num_layers=6, d_model=512, d_ff=2048, num_heads=8)).save_pretrained(folder)
    _tokenizer(folder, ["<pad>", "</s>", "<unk>"], "$A </s>")


def _tokenizer(folder: Path, special: list[str], template: str) -> None:
    """One token a word: what is measured is the encoder, and lengths in tokens are then known."""
    known = [*special, *WORDS, *sorted({word for text in TEXTS for word in text.split()})]
    words = {word: place for place, word in enumerate(known)}
    tokenizer = Tokenizer(WordLevel(words, unk_token="<unk>"))
    tokenizer.pre_tokenizer = WhitespaceSplit()
    marks = [(mark, words[mark]) for mark in ("<s>", "</s>") if mark in words]
    tokenizer.post_processor = TemplateProcessing(single=template, special_tokens=marks)
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<pad>",
        unk_token="<unk>",
        eos_token="</s>",
        model_input_names=["input_ids", "attention_mask"],
    )
    fast.save_pretrained(folder)


def _layer(width: int, inner: int, positions: int) -> float:
    """One transformer layer: four projections, the feed-forward block, queries by keys and weights by values."""
    return 2.0 * positions * (4 * width**2 + 2 * width * inner) + 4.0 * positions**2 * width


def _hubert_flops(config: dict, samples: int) -> tuple[float, float]:
    front, frames, channels = 0.0, samples, 1
    for out, kernel, stride in zip(config["conv_dim"], config["conv_kernel"], config["conv_stride"], strict=True):
        frames = (frames - kernel) // stride + 1
        front += 2.0 * frames * out * channels * kernel
        channels = out
    width = config["hidden_size"]
    front += 2.0 * frames * channels * width
    groups, kernel = config["num_conv_pos_embedding_groups"], config["num_conv_pos_embeddings"]
    front += 2.0 * frames * width * width // groups * kernel
    return front, config["num_hidden_layers"] * _layer(width, config["intermediate_size"], frames)


def _whisper_flops(config: dict, samples: int) -> tuple[float, float]:
    frames = -(-samples // 320)
    width, bands = config["d_model"], config["num_mel_bins"]
    spectrum = 2.0 * 2 * frames * 402 * 400
    front = spectrum + 2.0 * 3 * (2 * frames * bands * width + frames * width**2)
    return front, config["encoder_layers"] * _layer(width, config["encoder_ffn_dim"], frames)


def _roberta_flops(config: dict, tokens: int) -> tuple[float, float]:
    return 0.0, config["num_hidden_layers"] * _layer(config["hidden_size"], config["intermediate_size"], tokens)


def _t5_flops(config: dict, tokens: int) -> tuple[float, float]:
    return 0.0, config["num_layers"] * _layer(config["d_model"], config["d_ff"], tokens)


MAKERS: dict[str, Callable[[Path], None]] = {
    "hubert-base": _hubert,
    "hubert-large": lambda folder: _hubert(folder, large=True),
    "whisper-base": lambda folder: _whisper(folder, 512, 6, 8),
    "whisper-small": lambda folder: _whisper(folder, 768, 12, 12),
    "whisper-medium": lambda folder: _whisper(folder, 1024, 24, 16),
    "roberta-base": _roberta,
    "t5-small": _t5,
}
COUNTERS: dict[str, Callable[[dict, int], tuple[float, float]]] = {
    "hubert": _hubert_flops,
    "whisper": _whisper_flops,
    "roberta": _roberta_flops,
    "t5": _t5_flops,
}
