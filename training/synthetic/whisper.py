"""The stand-in for a Whisper checkpoint, trained like HuBERT by predicting the clusters of masked frames.

Whisper itself is trained on a very large corpus of transcribed speech. The stand-in shares its input: log-mel windows
padded with silence to 30 s, with attention over the whole window.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Float32, Int
from torch import Tensor, nn
from transformers import WhisperConfig, WhisperFeatureExtractor, WhisperModel

from model.encoders.encoder import Waveform
from training.config import WhisperSettings
from training.synthetic.pretraining import (
    HOP,
    IGNORE_INDEX,
    SAMPLE_RATE,
    WINDOW,
    PretrainingLosses,
    cluster_frames,
    draw_spans,
    masked_prediction,
    normalise,
    optimise,
    spectral_frames,
    step,
    summarise,
)

_DECODER_TOKENS = 8  # vocabulary of the decoder, which is part of the architecture but unused and untrained


def build_whisper(settings: WhisperSettings, *, seed: int) -> WhisperModel:
    """A Whisper with new weights and 320 samples (20 ms) per frame."""
    torch.manual_seed(seed)
    config = WhisperConfig(
        num_mel_bins=settings.mel_bands,
        d_model=settings.hidden,
        encoder_layers=settings.layers,
        encoder_attention_heads=settings.heads,
        encoder_ffn_dim=settings.feedforward,
        max_source_positions=settings.window_seconds * SAMPLE_RATE // HOP,
        decoder_layers=1,
        decoder_attention_heads=settings.heads,
        decoder_ffn_dim=settings.hidden,
        max_target_positions=_DECODER_TOKENS,
        vocab_size=_DECODER_TOKENS,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
        decoder_start_token_id=1,
        dropout=0.0,
    )
    return WhisperModel(config)


def build_front_end(settings: WhisperSettings) -> WhisperFeatureExtractor:
    """The feature extractor from waveforms to log-mel windows."""
    return WhisperFeatureExtractor(feature_size=settings.mel_bands, chunk_length=settings.window_seconds)


def save_whisper(model: WhisperModel, front_end: WhisperFeatureExtractor, folder: Path) -> None:
    """Write a Hugging Face checkpoint: safetensors, `config.json`, `preprocessor_config.json`."""
    model.save_pretrained(folder)
    front_end.save_pretrained(folder)


def train_whisper(
    model: WhisperModel,
    front_end: WhisperFeatureExtractor,
    recordings: Sequence[Float32[np.ndarray, " sample"]],
    settings: WhisperSettings,
    *,
    seed: int,
) -> PretrainingLosses:
    """Train the encoder in place by masked prediction of the clusters of log-mel frames.

    Recordings are at 16 kHz in [-1, 1] and longer than `settings.shortest_seconds`.
    """
    rng = np.random.default_rng(seed)
    torch.manual_seed(seed)
    labels = cluster_frames([_centred_frames(samples) for samples in recordings], settings.clusters, seed=seed)
    network = nn.ModuleList([model.encoder, nn.Linear(settings.hidden, settings.clusters)])
    optimiser, schedule = optimise(network, settings.learning_rate, settings.steps)
    losses: list[float] = []
    for _ in range(settings.steps):
        waveforms, targets, masked = _draw(recordings, labels, settings, rng)
        bands = front_end(waveforms, sampling_rate=SAMPLE_RATE, return_tensors="pt").input_features
        states = model.encoder(_hide(bands, masked)).last_hidden_state
        losses.append(step(masked_prediction(network[1](states), targets, masked), network, optimiser, schedule))
    model.eval()
    return summarise(losses)


def _centred_frames(samples: Float32[np.ndarray, " sample"]) -> Float[np.ndarray, "frame band"]:
    """Spectral frames centred on the frames of Whisper; those of HuBERT start where Whisper's are centred."""
    return spectral_frames(np.pad(normalise(samples), (WINDOW // 2, 0)))


def _draw(
    recordings: Sequence[Float32[np.ndarray, " sample"]],
    labels: Sequence[Int[np.ndarray, " frame"]],
    settings: WhisperSettings,
    rng: np.random.Generator,
) -> tuple[list[Waveform], Int[Tensor, "window frame"], Tensor]:
    """Random crops of speech, the clusters of their frames, and the mask of hidden frames."""
    window = settings.window_seconds * SAMPLE_RATE // HOP
    shortest = int(settings.shortest_seconds * SAMPLE_RATE) // HOP
    waveforms = []
    targets = np.full((settings.batch, window), IGNORE_INDEX)
    masked = np.zeros((settings.batch, window), dtype=np.bool_)
    for row, drawn in enumerate(rng.integers(len(recordings), size=settings.batch)):
        frames = int(rng.integers(shortest, min(window, len(labels[drawn])) + 1))
        start = int(rng.integers(len(labels[drawn]) - frames + 1))
        waveforms.append(recordings[drawn][start * HOP : (start + frames) * HOP])
        targets[row, :frames] = labels[drawn][start : start + frames]
        masked[row, :frames] = draw_spans((1, frames), settings, rng)[0]
    return waveforms, torch.from_numpy(targets), torch.from_numpy(masked)


def _hide(bands: Float[Tensor, "window band melframe"], masked: Tensor) -> Float[Tensor, "window band melframe"]:
    """Set masked frames to zero, as the augmentation of Whisper does; two mel frames make one frame."""
    return bands.masked_fill(masked.repeat_interleave(2, dim=1).unsqueeze(1), 0.0)
