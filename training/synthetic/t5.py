"""The stand-in for a T5 checkpoint: tokenizer, encoder and training head.

T5 is trained to reconstruct corrupted text with a decoder. Only the encoder is needed here, so masked tokens are
predicted from its states: the "BERT-style" objective of Raffel et al. 2020 (section 3.3.1).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import torch
from jaxtyping import Int
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from torch import Tensor, nn
from transformers import PreTrainedTokenizerFast, T5Config, T5EncoderModel, T5Tokenizer
from transformers.modeling_outputs import MaskedLMOutput

from training.config import TextEncoderSettings

SPECIAL_TOKENS = ("<pad>", "</s>", "<unk>")
"""Special tokens of T5, in the order of their ids."""
MASK_TOKEN = "<extra_id_0>"  # noqa: S105 - the first of T5's sentinels, no secret

_SENTINELS = 100
_LONGEST = 512
_DIGITS = 6
_RARE = 0.05  # the trainer adds 1e-4 for each rare character


class TokenPredictor(nn.Module):
    """The encoder of T5 with a linear head over the vocabulary."""

    def __init__(self, encoder: T5EncoderModel) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = nn.Linear(encoder.config.d_model, encoder.config.vocab_size)

    def forward(
        self, input_ids: Int[Tensor, "text token"], attention_mask: Int[Tensor, "text token"]
    ) -> MaskedLMOutput:
        """The logits of every token."""
        states = self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        return MaskedLMOutput(logits=self.head(states))


def train_t5_tokenizer(texts: Sequence[str], *, vocabulary: int) -> PreTrainedTokenizerFast:
    """A Unigram tokenizer of at most `vocabulary` tokens, with the special tokens and 100 sentinels of T5."""
    learner = Tokenizer(models.Unigram())
    learner.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always")]
    )
    trainer = trainers.UnigramTrainer(
        vocab_size=vocabulary - _SENTINELS,
        special_tokens=list(SPECIAL_TOKENS),
        unk_token=SPECIAL_TOKENS[-1],
        show_progress=False,
    )
    learner.train_from_iterator(texts, trainer)
    pieces = _pieces(learner)
    return T5Tokenizer(vocab=pieces, extra_ids=_SENTINELS, model_max_length=_LONGEST)


def _pieces(learner: Tokenizer) -> list[tuple[str, float]]:
    """Pieces and their log probabilities, special tokens first; equal texts give equal pieces.

    The trainer iterates over its tables in random order: sums differ in their last digits, and rare characters get the
    lowest score plus an offset by that order. Scores are therefore rounded, rare characters share one score, and the
    pieces are sorted.
    """
    vocabulary: list[tuple[str, float]] = json.loads(learner.to_str())["model"]["vocab"]
    learnt = {piece: score for piece, score in vocabulary if piece not in SPECIAL_TOKENS}
    least = min(learnt.values())
    rare = {piece for piece, score in learnt.items() if len(piece) == 1 and score < least + _RARE}
    scored = [(piece, round(least if piece in rare else score, _DIGITS)) for piece, score in learnt.items()]
    return [(piece, 0.0) for piece in SPECIAL_TOKENS] + sorted(scored, key=lambda piece: (-piece[1], piece[0]))


def build_t5_encoder(settings: TextEncoderSettings, *, vocabulary: int, seed: int) -> TokenPredictor:
    """An encoder with new weights and gated feed-forward blocks, as in T5 version 1.1, with its head."""
    torch.manual_seed(seed)
    config = T5Config(
        vocab_size=vocabulary,
        d_model=settings.hidden,
        d_kv=settings.hidden // settings.heads,
        d_ff=settings.feedforward,
        num_layers=settings.layers,
        num_heads=settings.heads,
        feed_forward_proj="gated-gelu",
        dropout_rate=0.0,
        pad_token_id=SPECIAL_TOKENS.index("<pad>"),
        eos_token_id=SPECIAL_TOKENS.index("</s>"),
    )
    return TokenPredictor(T5EncoderModel(config))


def save_t5_encoder(predictor: TokenPredictor, tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    """Write a Hugging Face checkpoint without the head: safetensors, `config.json`, `tokenizer.json`."""
    predictor.encoder.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
