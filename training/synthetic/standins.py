"""One command's work: synthetic speech and text of the stand-ins' own seed, and the two encoders trained on them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float32

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
from training.synthetic.pretraining import train_speech_encoder, train_text_encoder
from training.synthetic.speakers import draw_speakers

_ANSWERS = 8


def make_standins(folder: Path, settings: StandinSettings, report: Callable[[str], None]) -> tuple[Path, Path]:
    """Trains both encoders and writes them to `speech` and `text` below the folder; returns these two paths."""
    torch.set_num_threads(settings.threads)
    return make_speech_standin(folder / "speech", settings, report), make_text_standin(
        folder / "text", settings, report
    )


def make_speech_standin(folder: Path, settings: StandinSettings, report: Callable[[str], None]) -> Path:
    """Speaks the recordings, trains the speech encoder on them and writes its checkpoint."""
    recordings = _speak(settings)
    encoder = build_speech_encoder(settings.speech, seed=settings.seed)
    progress = train_speech_encoder(encoder, recordings, settings.speech, seed=settings.seed)
    report(f"speech encoder: masked prediction loss {progress.before:.3f} -> {progress.after:.3f}")
    save_speech_encoder(encoder, folder)
    return folder


def make_text_standin(folder: Path, settings: StandinSettings, report: Callable[[str], None]) -> Path:
    """Writes the texts, trains tokenizer and text encoder on them and writes their checkpoint."""
    texts = _write(settings)
    tokenizer = train_tokenizer(texts, vocabulary=settings.text.vocabulary)
    encoder = build_text_encoder(settings.text, vocabulary=len(tokenizer), seed=settings.seed)
    progress = train_text_encoder(encoder, tokenizer, texts, settings.text, seed=settings.seed)
    report(f"text encoder: masked language loss {progress.before:.3f} -> {progress.after:.3f}")
    save_text_encoder(encoder, tokenizer, folder)
    return folder


def _speak(settings: StandinSettings) -> list[Float32[np.ndarray, " sample"]]:
    """Interviews at mean 0 and variance 1, as the encoder's feature extractor makes them."""
    speakers = CohortSettings(speakers=settings.speakers, seconds=settings.seconds)
    return [_normalise(one.audio.astype(np.float32)) for one in cohort(settings.seed, speakers)]


def _normalise(samples: Float32[np.ndarray, " sample"]) -> Float32[np.ndarray, " sample"]:
    return np.asarray((samples - samples.mean()) / (samples.std() + 1e-7), dtype=np.float32)


def _write(settings: StandinSettings) -> list[str]:
    """Answers of speakers who are never heard, so that words and voices of the training share no speaker."""
    seed = settings.seed + 1
    writers = draw_speakers(seed, CohortSettings(speakers=settings.writers))
    return [text for writer in writers for text in converse(writer, seed=seed, turns=_ANSWERS)]
