"""What exported encoders are held against torch with: noise, and material shaped like speech and text."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from transformers import PreTrainedTokenizerFast

from model.encoders.speech import SAMPLE_RATE

TEXTS = (
    "Well, I have been sleeping badly for about three weeks now, and my sister said I should talk to someone about it.",
    "Not much, really.",
    "Mostly I lie awake and listen to the street - and then, around five, the birds begin!",
)
_SYLLABLES = 4.0  # a second
_SPOKEN = 1.4  # seconds of every two, before digital silence
_ROOM = 1e-3  # SD of the noise at full scale 1: -60 dBFS
_HARMONICS = 40
_FORMANTS = ((500.0, 120.0), (1500.0, 200.0), (2500.0, 300.0))  # hertz: centre and width


def speech_probes() -> list[list[Tensor]]:
    """Waveforms and lengths: noise in batches whose last row is shorter, and a voice in a quiet room.

    The room is not digitally silent, as none is: on exact zeros HuBERT-base normalises what is nothing but rounding,
    and no two runtimes agree there (2.7e-4 apart where they are 1e-6 apart at -80 dBFS).
    """
    torch.manual_seed(0)
    voiced = synthetic_voice(3.0)
    voiced += torch.randn(len(voiced)) * _ROOM
    return [
        _waveforms(2, 32_000, 7_000),
        _waveforms(1, 8_000, 0),
        _waveforms(3, 80_000, 30_001),
        [torch.stack([voiced, voiced.flip(0) * 0.1]), torch.tensor([len(voiced), len(voiced)])],
    ]


def text_probes(tokenizer: PreTrainedTokenizerFast, *, pad: int, vocabulary: int, longest: int) -> list[list[Tensor]]:
    """Token ids and valid counts: random tokens in batches whose last row is shorter, and sentences."""
    torch.manual_seed(0)
    read = tokenizer(list(TEXTS), truncation=True, max_length=longest)["input_ids"]
    sentences = [torch.tensor(ids) for ids in read]
    return [
        _tokens((2, 24), 9, pad, vocabulary),
        _tokens((1, 8), 0, pad, vocabulary),
        _tokens((3, 64), 40, pad, vocabulary),
        _padded(sentences, pad),
    ]


def synthetic_voice(seconds: float) -> Float[Tensor, " sample"]:
    """Harmonics of a gliding pitch under three formants, in syllables, with digital silence now and then."""
    time = torch.arange(int(seconds * SAMPLE_RATE), dtype=torch.float64) / SAMPLE_RATE
    pitch = 120 + 30 * torch.sin(2 * math.pi * 0.5 * time)
    phase = 2 * math.pi * torch.cumsum(pitch, dim=0) / SAMPLE_RATE
    wave = torch.zeros_like(time)
    for harmonic in range(1, _HARMONICS + 1):
        strength = sum(torch.exp(-(((harmonic * pitch - centre) / width) ** 2)) for centre, width in _FORMANTS)
        wave += strength * torch.sin(harmonic * phase)
    syllables = torch.sin(math.pi * _SYLLABLES * time).square()
    spoken = (time % 2.0 < _SPOKEN).double()
    return (0.1 * wave * syllables * spoken).float()


def _waveforms(segments: int, samples: int, shorter: int) -> list[Tensor]:
    """Noise whose last row is `shorter` samples short of the padded length."""
    lengths = torch.full((segments,), samples, dtype=torch.int64)
    lengths[-1] -= shorter
    return [torch.randn(segments, samples) * 0.1, lengths]


def _tokens(shape: tuple[int, int], shorter: int, pad: int, vocabulary: int) -> list[Tensor]:
    """Random tokens whose last row ends in `shorter` padding tokens."""
    ids = torch.randint(pad + 2, vocabulary, shape)
    return _padded([*ids[:-1], ids[-1, : shape[1] - shorter]], pad)


def _padded(rows: Sequence[Tensor], pad: int) -> list[Tensor]:
    ids = nn.utils.rnn.pad_sequence(list(rows), batch_first=True, padding_value=pad)
    return [ids, torch.tensor([len(row) for row in rows])]
