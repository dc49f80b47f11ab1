"""Make the stand-in encoders: synthesise their training speech and text, train them, and write checkpoints."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float32

from model.features import FULL_SCALE
from training.config import CohortSettings, StandinSettings
from training.synthetic.cohort import cohort
from training.synthetic.dialogue import converse
from training.synthetic.encoders import (
    build_speech_encoder,
    build_text_encoder,
    save_speech_encoder,
    save_text_encoder,
    train_tokenizer,
)
from training.synthetic.pretraining import normalise, train_speech_encoder, train_text_encoder
from training.synthetic.speakers import draw_speakers
from training.synthetic.t5 import build_t5_encoder, save_t5_encoder, train_t5_tokenizer
from training.synthetic.whisper import build_front_end, build_whisper, save_whisper, train_whisper

_ANSWERS = 8

Report = Callable[[str], None]


def make_standins(folder: Path, settings: StandinSettings, report: Report) -> tuple[Path, Path]:
    """Train HuBERT and RoBERTa and write them to `speech` and `text` below the folder; returns both paths."""
    speech = make_standin("hubert", folder / "speech", settings, report)
    return speech, make_standin("roberta", folder / "text", settings, report)


def make_standin(architecture: str, folder: Path, settings: StandinSettings, report: Report) -> Path:
    """Train the stand-in of one of ARCHITECTURES and write its checkpoint. Equal arguments give equal files."""
    torch.set_num_threads(settings.threads)
    ARCHITECTURES[architecture](folder, settings, report)
    return folder


def _make_hubert(folder: Path, settings: StandinSettings, report: Report) -> None:
    """Synthesise recordings, train HuBERT on them, and write its checkpoint."""
    encoder = build_speech_encoder(settings.speech, seed=settings.seed)
    recordings = [normalise(samples) for samples in _speak(settings)]
    progress = train_speech_encoder(encoder, recordings, settings.speech, seed=settings.seed)
    report(f"speech encoder: masked prediction loss {progress.before:.3f} -> {progress.after:.3f}")
    save_speech_encoder(encoder, folder)


def _make_whisper(folder: Path, settings: StandinSettings, report: Report) -> None:
    """Synthesise recordings, train the encoder of Whisper on them, and write its checkpoint."""
    model, front_end = build_whisper(settings.whisper, seed=settings.seed), build_front_end(settings.whisper)
    recordings = [samples / np.float32(FULL_SCALE) for samples in _speak(settings)]
    progress = train_whisper(model, front_end, recordings, settings.whisper, seed=settings.seed)
    report(f"whisper encoder: masked prediction loss {progress.before:.3f} -> {progress.after:.3f}")
    save_whisper(model, front_end, folder)


def _make_roberta(folder: Path, settings: StandinSettings, report: Report) -> None:
    """Generate texts, train tokenizer and RoBERTa on them, and write the checkpoint."""
    texts = _write(settings)
    tokenizer = train_tokenizer(texts, vocabulary=settings.text.vocabulary)
    encoder = build_text_encoder(settings.text, vocabulary=len(tokenizer), seed=settings.seed)
    progress = train_text_encoder(encoder, tokenizer, texts, settings.text, seed=settings.seed)
    report(f"text encoder: masked language loss {progress.before:.3f} -> {progress.after:.3f}")
    save_text_encoder(encoder, tokenizer, folder)


def _make_t5(folder: Path, settings: StandinSettings, report: Report) -> None:
    """Generate texts, train tokenizer and the encoder of T5 on them, and write the checkpoint."""
    texts = _write(settings)
    tokenizer = train_t5_tokenizer(texts, vocabulary=settings.t5.vocabulary)
    predictor = build_t5_encoder(settings.t5, vocabulary=len(tokenizer), seed=settings.seed)
    progress = train_text_encoder(predictor, tokenizer, texts, settings.t5, seed=settings.seed)
    report(f"t5 encoder: masked language loss {progress.before:.3f} -> {progress.after:.3f}")
    save_t5_encoder(predictor, tokenizer, folder)


def _speak(settings: StandinSettings) -> list[Float32[np.ndarray, " sample"]]:
    """Interviews as float32 samples at 16 kHz, on the scale of int16."""
    speakers = CohortSettings(speakers=settings.speakers, seconds=settings.seconds)
    return [interview.audio.astype(np.float32) for interview in cohort(settings.seed, speakers)]


def _write(settings: StandinSettings) -> list[str]:
    """Answers of other speakers than those of the audio, so that training text and speech share no speaker."""
    seed = settings.seed + 1
    writers = draw_speakers(seed, CohortSettings(speakers=settings.writers))
    return [text for writer in writers for text in converse(writer, seed=seed, turns=_ANSWERS)]


ARCHITECTURES: Mapping[str, Callable[[Path, StandinSettings, Report], None]] = {
    "hubert": _make_hubert,
    "whisper": _make_whisper,
    "roberta": _make_roberta,
    "t5": _make_t5,
}
"""Architectures with a stand-in: two speech encoders, then two text encoders."""
