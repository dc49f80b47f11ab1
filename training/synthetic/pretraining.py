"""Self-supervised training of the stand-in encoders, a few minutes on synthetic speech and text.

Text: masked language modelling (Devlin et al. 2019) without next-sentence prediction, as in RoBERTa. Speech: the first
iteration of HuBERT (Hsu et al. 2021), which predicts the clusters of masked spectral frames. The spectral frames are
log-mel energies with their slopes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Float32, Int
from sklearn.cluster import MiniBatchKMeans
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, pad
from transformers import HubertModel, PreTrainedTokenizerFast, RobertaForMaskedLM

from training.config import MaskedSpeechSettings, SpeechEncoderSettings, TextEncoderSettings
from training.synthetic.t5 import MASK_TOKEN, TokenPredictor

SAMPLE_RATE = 16000
WINDOW, HOP = 400, 320
"""Receptive field and stride of a HuBERT frame, in samples."""

_MEL_BANDS = 40
_SLOPE_FRAMES = 3
_MASKED_WEIGHT = 0.7  # HuBERT's alpha; the visible frames get the rest, which speeds up the start
IGNORE_INDEX = -100  # target of positions without a loss
_CLUSTER_SAMPLE = 60_000


@dataclass(frozen=True, slots=True, kw_only=True)
class PretrainingLosses:
    """Mean loss of the first and last tenth of the steps, in nats."""

    before: float
    after: float


def train_text_encoder(
    encoder: RobertaForMaskedLM | TokenPredictor,
    tokenizer: PreTrainedTokenizerFast,
    texts: Sequence[str],
    settings: TextEncoderSettings,
    *,
    seed: int,
) -> PretrainingLosses:
    """Train in place by masked language modelling."""
    rng = np.random.default_rng(seed)
    torch.manual_seed(seed)
    optimiser, schedule = optimise(encoder, settings.learning_rate, settings.steps)
    losses: list[float] = []
    for _ in range(settings.steps):
        drawn = [texts[int(row)] for row in rng.integers(len(texts), size=settings.batch)]
        batch = tokenizer(drawn, padding=True, truncation=True, max_length=settings.tokens, return_tensors="pt")
        masked, targets = mask_tokens(batch["input_ids"], tokenizer, share=settings.mask_share)
        logits = encoder(input_ids=masked, attention_mask=batch["attention_mask"]).logits
        loss = cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=IGNORE_INDEX)
        losses.append(step(loss, encoder, optimiser, schedule))
    encoder.eval()
    return summarise(losses)


def mask_tokens(
    tokens: Int[Tensor, "text token"], tokenizer: PreTrainedTokenizerFast, *, share: float
) -> tuple[Int[Tensor, "text token"], Int[Tensor, "text token"]]:
    """Mask a share of the tokens (one in ten of them unchanged); targets are -100 at unmasked positions."""
    special = torch.isin(tokens, torch.tensor(tokenizer.all_special_ids))
    chosen = (torch.rand(tokens.shape) < share) & ~special
    hidden = chosen & (torch.rand(tokens.shape) >= 0.1)  # noqa: PLR2004 - the share in BERT
    mask = tokenizer.mask_token_id
    if mask is None:  # T5 has sentinels instead of a mask token
        mask = tokenizer.convert_tokens_to_ids(MASK_TOKEN)
    return tokens.masked_fill(hidden, mask), tokens.masked_fill(~chosen, IGNORE_INDEX)


def train_speech_encoder(
    encoder: HubertModel,
    recordings: Sequence[Float32[np.ndarray, " sample"]],
    settings: SpeechEncoderSettings,
    *,
    seed: int,
) -> PretrainingLosses:
    """Train in place by masked prediction of the clusters of log-mel frames.

    Recordings are at 16 kHz, normalised to mean 0 and variance 1, and longer than `settings.crop_seconds`.
    """
    rng = np.random.default_rng(seed)
    torch.manual_seed(seed)
    labels = cluster_frames([spectral_frames(recording) for recording in recordings], settings.clusters, seed=seed)
    network = nn.ModuleList([encoder, nn.Linear(settings.hidden, settings.clusters)])
    optimiser, schedule = optimise(network, settings.learning_rate, settings.steps)
    losses: list[float] = []
    for _ in range(settings.steps):
        waveforms, targets = _crop(recordings, labels, settings, rng)
        masked = torch.from_numpy(draw_spans(targets.shape, settings, rng))
        states = encoder(waveforms, mask_time_indices=masked).last_hidden_state
        loss = masked_prediction(network[1](states), targets, masked)
        losses.append(step(loss, network, optimiser, schedule))
    encoder.eval()
    return summarise(losses)


def normalise(samples: Float32[np.ndarray, " sample"]) -> Float32[np.ndarray, " sample"]:
    """Normalise to mean 0 and variance 1, as the feature extractor of HuBERT does."""
    return np.asarray((samples - samples.mean()) / (samples.std() + 1e-7), dtype=np.float32)


def spectral_frames(samples: Float32[np.ndarray, " sample"]) -> Float[np.ndarray, "frame band"]:
    """Log-mel energies and their slopes, one row per frame of the encoder."""
    energies = log_mel(torch.from_numpy(samples))
    # The frames at both ends lack a neighbour; a repeated frame has a slope of 0.
    slopes = pad(energies.T[None], (_SLOPE_FRAMES, _SLOPE_FRAMES), mode="replicate")[0].T
    change = slopes[2 * _SLOPE_FRAMES :] - slopes[: -2 * _SLOPE_FRAMES]
    return torch.cat([energies, change], dim=1).numpy()


def log_mel(samples: Float[Tensor, " sample"]) -> Float[Tensor, "frame band"]:
    """Natural logarithm of mel energies in Hann windows of 25 ms every 20 ms, aligned with the frames of HuBERT."""
    windows = samples.unfold(0, WINDOW, HOP) * torch.hann_window(WINDOW)
    power = torch.fft.rfft(windows).abs().square()
    # Digital silence has no logarithm.
    return torch.log(power @ _mel_filters() + 1e-3)


def _mel_filters() -> Float[Tensor, "bin band"]:
    """Triangular filters, evenly spaced on the mel scale 2595 log10(1 + f / 700)."""
    highest = 2595 * np.log10(1 + SAMPLE_RATE / 2 / 700)
    edges = 700 * (10 ** (np.linspace(0, highest, _MEL_BANDS + 2) / 2595) - 1)
    bins = np.fft.rfftfreq(WINDOW, 1 / SAMPLE_RATE)[:, None]
    rising = (bins - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - bins) / (edges[2:] - edges[1:-1])
    return torch.from_numpy(np.clip(np.minimum(rising, falling), 0, None).astype(np.float32))


def cluster_frames(
    frames: Sequence[Float[np.ndarray, "frame band"]], clusters: int, *, seed: int
) -> list[Int[np.ndarray, " frame"]]:
    """The k-means cluster of every frame, by recording."""
    every = np.concatenate(list(frames))
    # A constant band would divide by 0.
    centre, scale = every.mean(axis=0), every.std(axis=0) + 1e-6
    drawn = np.random.default_rng(seed).permutation(len(every))[:_CLUSTER_SAMPLE]
    means = MiniBatchKMeans(clusters, random_state=seed, batch_size=4096, n_init=3, max_iter=30)
    means.fit((every[drawn] - centre) / scale)
    return [means.predict((recording - centre) / scale) for recording in frames]


def draw_spans(
    shape: Sequence[int], settings: MaskedSpeechSettings, rng: np.random.Generator
) -> np.ndarray[tuple[int, int], np.dtype[np.bool_]]:
    """Masked frames: spans of `mask_length` from random starts, at least one per recording."""
    rows, frames = shape
    starts = rng.random((rows, frames)) < settings.mask_share
    # The mean loss over no masked frame is NaN.
    starts[np.arange(rows), rng.integers(frames, size=rows)] = True
    masked = starts.copy()
    for shift in range(1, settings.mask_length):
        masked[:, shift:] |= starts[:, :-shift]
    return masked


def _crop(
    recordings: Sequence[Float32[np.ndarray, " sample"]],
    labels: Sequence[Int[np.ndarray, " frame"]],
    settings: SpeechEncoderSettings,
    rng: np.random.Generator,
) -> tuple[Float[Tensor, "crop sample"], Int[Tensor, "crop frame"]]:
    """Random crops of random recordings, with the clusters of their frames."""
    frames = int(settings.crop_seconds * SAMPLE_RATE) // HOP
    samples = (frames - 1) * HOP + WINDOW
    waveforms, targets = [], []
    for row in rng.integers(len(recordings), size=settings.batch):
        start = int(rng.integers(len(labels[row]) - frames + 1))
        waveforms.append(recordings[row][start * HOP : start * HOP + samples])
        targets.append(labels[row][start : start + frames])
    return torch.from_numpy(np.stack(waveforms)), torch.from_numpy(np.stack(targets)).long()


def masked_prediction(
    logits: Float[Tensor, "crop frame cluster"], targets: Int[Tensor, "crop frame"], masked: Tensor
) -> Float[Tensor, ""]:
    """Weighted cross-entropy of masked and visible frames; frames with target -100 are ignored."""
    hidden = cross_entropy(logits[masked], targets[masked], ignore_index=IGNORE_INDEX)
    visible = cross_entropy(logits[~masked], targets[~masked], ignore_index=IGNORE_INDEX)
    return _MASKED_WEIGHT * hidden + (1 - _MASKED_WEIGHT) * visible


def optimise(
    network: nn.Module, rate: float, steps: int
) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler]:
    """AdamW with a one-cycle schedule, a tenth of it warm-up; sets the network to training mode."""
    network.train()
    optimiser = torch.optim.AdamW(network.parameters(), lr=rate, weight_decay=0.01)
    return optimiser, torch.optim.lr_scheduler.OneCycleLR(optimiser, max_lr=rate, total_steps=steps, pct_start=0.1)


def step(
    loss: Float[Tensor, ""],
    network: nn.Module,
    optimiser: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.LRScheduler,
) -> float:
    """Take one optimisation step with a clipped gradient; returns the loss."""
    optimiser.zero_grad()
    torch.autograd.backward(loss)
    nn.utils.clip_grad_norm_(network.parameters(), 1.0)
    optimiser.step()
    schedule.step()
    return float(loss.detach())


def summarise(losses: Sequence[float]) -> PretrainingLosses:
    """Mean loss at the start and at the end of training."""
    tenth = max(1, len(losses) // 10)
    return PretrainingLosses(before=float(np.mean(losses[:tenth])), after=float(np.mean(losses[-tenth:])))
