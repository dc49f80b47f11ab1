import numpy as np
import torch

from training.config import WhisperSettings
from training.synthetic.pretraining import IGNORE_INDEX
from training.synthetic.whisper import _centred_frames, _draw, _hide

SETTINGS = WhisperSettings(window_seconds=2, shortest_seconds=0.6, batch=20)


def test_a_frame_is_labelled_by_what_lies_around_its_middle():
    silence, tone = np.zeros(16000), np.sin(2 * np.pi * 440 * np.arange(16000) / 16000)
    frames = _centred_frames(np.concatenate([silence, tone]).astype(np.float32))
    loudness = frames[:, :40].mean(axis=1)
    assert loudness[49] < loudness[50] - 1  # its middle is sample 16000, where the tone begins
    assert loudness[48] < loudness[50] - 2
    assert abs(loudness[52] - loudness[51]) < 1


def test_only_frames_with_speech_are_masked_and_predicted():
    chance = np.random.default_rng(0)
    recordings = [np.ones(40 * 320, dtype=np.float32), np.ones(90 * 320, dtype=np.float32)]
    labels = [np.arange(40), np.arange(90)]
    waveforms, targets, masked = _draw(recordings, labels, SETTINGS, chance)
    heard = targets != IGNORE_INDEX
    assert heard.sum(dim=1).tolist() == [len(wave) // 320 for wave in waveforms]
    assert heard.sum(dim=1).min() >= 30
    assert not (masked & ~heard).any()
    assert masked.any(dim=1).all()


def test_a_hidden_frame_is_silent_in_both_of_its_mel_frames():
    masked = torch.zeros((1, 5), dtype=torch.bool)
    masked[0, 2] = True
    hidden = _hide(torch.ones((1, 3, 10)), masked)
    assert hidden[0, 0].tolist() == [1, 1, 1, 1, 0, 0, 1, 1, 1, 1]
