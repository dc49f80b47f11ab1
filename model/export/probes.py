"""Probes of the parity check: noise, synthetic speech, sentences, and real material."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn
from transformers import PreTrainedTokenizerFast

from model.encoders.encoder import Waveform
from model.encoders.speech import SAMPLE_RATE

TEXTS = (
    "Well, I have been sleeping badly for about three weeks now, and my sister said I should talk to someone about it.",
    "Not much, really.",
    "Mostly I lie awake and listen to the street - and then, around five, the birds begin!",
)
_SYLLABLES = 4.0  # per second
_SPOKEN = 1.4  # seconds of speech in every two; the rest is digital silence
_ROOM = 1e-3  # SD of the noise at full scale 1: -60 dBFS
_HARMONICS = 40
_FORMANTS = ((500.0, 120.0), (1500.0, 200.0), (2500.0, 300.0))  # hertz: centre and width


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """One batch of inputs in the order of the graph; `real` for recorded speech or text."""

    name: str
    inputs: tuple[Tensor, Tensor]
    real: bool = False


def speech_probes(real: Sequence[Waveform] = ()) -> list[Probe]:
    """Waveforms and lengths: batches of noise with a shorter last row, a synthetic voice in a quiet room, real speech.

    The room has noise, because HuBERT-base normalises rounding errors on exact zeros, where runtimes differ by 2.7e-4;
    at -80 dBFS they differ by 1e-6.
    """
    torch.manual_seed(0)
    voiced = synthetic_voice(3.0)
    voiced += torch.randn(len(voiced)) * _ROOM
    probes = [
        Probe(name="noise of 2 s", inputs=_waveforms(2, 32_000, 7_000)),
        Probe(name="noise of 0.5 s", inputs=_waveforms(1, 8_000, 0)),
        Probe(name="noise of 5 s", inputs=_waveforms(3, 80_000, 30_001)),
        Probe(name="synthetic voice", inputs=_padded([voiced, voiced.flip(0) * 0.1], 0)),
    ]
    if real:
        probes.append(
            Probe(name="real speech", inputs=_padded([torch.from_numpy(wave) for wave in real], 0), real=True)
        )
    return probes


def text_probes(
    tokenizer: PreTrainedTokenizerFast, *, pad: int, vocabulary: int, longest: int, real: Sequence[str] = ()
) -> list[Probe]:
    """Token ids and valid counts: batches of random tokens with a shorter last row, sentences, real text."""
    torch.manual_seed(0)
    probes = [
        Probe(name="24 random tokens", inputs=_tokens((2, 24), 9, pad, vocabulary)),
        Probe(name="8 random tokens", inputs=_tokens((1, 8), 0, pad, vocabulary)),
        Probe(name="64 random tokens", inputs=_tokens((3, 64), 40, pad, vocabulary)),
        Probe(name="sentences", inputs=_read(tokenizer, TEXTS, pad, longest)),
    ]
    if real:
        probes.append(Probe(name="real words", inputs=_read(tokenizer, real, pad, longest), real=True))
    return probes


def synthetic_voice(seconds: float) -> Float[Tensor, " sample"]:
    """A synthetic voice: harmonics of a gliding pitch under three formants, in syllables, with digital silence."""
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


def _waveforms(segments: int, samples: int, shorter: int) -> tuple[Tensor, Tensor]:
    """Noise; the last row is `shorter` samples shorter than the padded length."""
    lengths = torch.full((segments,), samples, dtype=torch.int64)
    lengths[-1] -= shorter
    return torch.randn(segments, samples) * 0.1, lengths


def _tokens(shape: tuple[int, int], shorter: int, pad: int, vocabulary: int) -> tuple[Tensor, Tensor]:
    """Random tokens; the last row ends with `shorter` padding tokens."""
    ids = torch.randint(pad + 2, vocabulary, shape)
    return _padded([*ids[:-1], ids[-1, : shape[1] - shorter]], pad)


def _read(tokenizer: PreTrainedTokenizerFast, texts: Sequence[str], pad: int, longest: int) -> tuple[Tensor, Tensor]:
    ids = tokenizer(list(texts), truncation=True, max_length=longest)["input_ids"]
    return _padded([torch.tensor(row) for row in ids], pad)


def _padded(rows: Sequence[Tensor], filler: int) -> tuple[Tensor, Tensor]:
    filled = nn.utils.rnn.pad_sequence(list(rows), batch_first=True, padding_value=filler)
    return filled, torch.tensor([len(row) for row in rows])
