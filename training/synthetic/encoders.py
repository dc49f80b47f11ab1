"""Stand-ins for the encoders of the hub: small HuBERT and RoBERTa checkpoints.

With them the whole system runs without a model hub. Architecture, files and loading are those of the large models.
Their representations are not: they are trained on synthetic voices only.

The speech encoder normalises each frame over its channels (`feat_extract_norm="layer"`, pre-norm blocks), as the
large HuBERT does. The base model's group norm takes its statistics over time, padding included, so that a
recording's features depend on its padding, which a mask cannot prevent. Pre-norm also keeps a network that was trained
for minutes numerically stable.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import (
    HubertConfig,
    HubertModel,
    PreTrainedTokenizerFast,
    RobertaConfig,
    RobertaForMaskedLM,
    RobertaModel,
    RobertaTokenizerFast,
    Wav2Vec2FeatureExtractor,
)

from training.config import SpeechEncoderSettings, TextEncoderSettings

SPECIAL_TOKENS = ("<s>", "<pad>", "</s>", "<unk>", "<mask>")
"""Special tokens in the order of their ids: those of RoBERTa, except for the mask."""

_POSITIONS = 514  # RoBERTa counts positions from pad + 1: room for 512 tokens
_LONGEST = 512


def build_speech_encoder(settings: SpeechEncoderSettings, *, seed: int) -> HubertModel:
    """A HuBERT with new weights and 320 samples (20 ms) per frame."""
    torch.manual_seed(seed)
    config = HubertConfig(
        hidden_size=settings.hidden,
        num_hidden_layers=settings.layers,
        num_attention_heads=settings.heads,
        intermediate_size=settings.feedforward,
        conv_dim=(settings.convolution,) * 7,
        conv_bias=True,
        feat_extract_norm="layer",
        do_stable_layer_norm=True,
        apply_spec_augment=True,
        hidden_dropout=0.0,
        attention_dropout=0.0,
        activation_dropout=0.0,
        feat_proj_dropout=0.0,
        layerdrop=0.0,
        vocab_size=len(SPECIAL_TOKENS),
    )
    return HubertModel(config)


def save_speech_encoder(encoder: HubertModel, folder: Path) -> None:
    """Write a Hugging Face checkpoint: safetensors, `config.json`, `preprocessor_config.json`."""
    encoder.save_pretrained(folder)
    extractor = Wav2Vec2FeatureExtractor(
        feature_size=1, sampling_rate=16000, padding_value=0.0, do_normalize=True, return_attention_mask=True
    )
    extractor.save_pretrained(folder)


def train_tokenizer(texts: Sequence[str], *, vocabulary: int) -> PreTrainedTokenizerFast:
    """A byte-level BPE tokenizer with RoBERTa's special tokens, at most `vocabulary` tokens."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=list(SPECIAL_TOKENS),
        # Every byte is a token, so that no text is unknown.
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    end, start = (("</s>", SPECIAL_TOKENS.index("</s>")), ("<s>", SPECIAL_TOKENS.index("<s>")))
    tokenizer.post_processor = processors.RobertaProcessing(end, start, add_prefix_space=False)
    return RobertaTokenizerFast(tokenizer_object=tokenizer, model_max_length=_LONGEST)


def build_text_encoder(settings: TextEncoderSettings, *, vocabulary: int, seed: int) -> RobertaForMaskedLM:
    """A RoBERTa with new weights and a masked-language-modelling head."""
    torch.manual_seed(seed)
    config = RobertaConfig(
        vocab_size=vocabulary,
        hidden_size=settings.hidden,
        num_hidden_layers=settings.layers,
        num_attention_heads=settings.heads,
        intermediate_size=settings.feedforward,
        max_position_embeddings=_POSITIONS,
        type_vocab_size=1,
        pad_token_id=1,
        bos_token_id=0,
        eos_token_id=2,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )
    return RobertaForMaskedLM(config)


def save_text_encoder(encoder: RobertaForMaskedLM, tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    """Write a Hugging Face checkpoint without the head: safetensors, `config.json`, `tokenizer.json`.

    The pooler is part of the architecture but stays untrained: features are means of token states.
    """
    bare = RobertaModel(encoder.config)
    # Not strict: the bare model has a pooler, which a masked language model lacks.
    bare.load_state_dict(encoder.roberta.state_dict(), strict=False)
    bare.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
