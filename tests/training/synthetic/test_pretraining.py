import numpy as np
import torch

from training.config import SpeechEncoderSettings
from training.synthetic.encoders import train_tokenizer
from training.synthetic.pretraining import cluster_frames, draw_spans, log_mel, mask_tokens, spectral_frames


def tone(hertz, seconds=1.0):
    return np.sin(2 * np.pi * hertz * np.arange(int(seconds * 16000)) / 16000).astype(np.float32)


def test_frames_align_with_the_encoder():
    assert spectral_frames(tone(440)).shape == (49, 80)


def test_a_higher_tone_peaks_in_a_higher_mel_band():
    low, high = (int(log_mel(torch.from_numpy(tone(hertz))).mean(0).argmax()) for hertz in (300, 3000))
    assert low < high


def test_a_steady_tone_has_no_slope():
    assert np.abs(spectral_frames(tone(400))[:, 40:]).max() < 0.05


def test_two_tones_fall_into_two_clusters():
    labels = cluster_frames([spectral_frames(tone(300)), spectral_frames(tone(3000))], 2, seed=1)
    assert len(set(labels[0])) == len(set(labels[1])) == 1
    assert labels[0][0] != labels[1][0]


def test_spans_mask_every_crop_and_leave_something_visible():
    masked = draw_spans((8, 100), SpeechEncoderSettings(), np.random.default_rng(1))
    assert masked.any(axis=1).all()
    assert not masked.all()
    assert 0.3 < masked.mean() < 0.7


def test_masking_skips_special_tokens_and_only_masked_tokens_have_targets():
    torch.manual_seed(1)
    tokenizer = train_tokenizer(["the river and the hills"] * 20, vocabulary=300)
    batch = tokenizer(["the river and the hills", "the river"] * 40, padding=True, return_tensors="pt")
    masked, targets = mask_tokens(batch["input_ids"], tokenizer, share=0.5)
    asked = targets != -100
    special = torch.isin(batch["input_ids"], torch.tensor(tokenizer.all_special_ids))
    assert not (asked & special).any()
    assert torch.equal(masked[~asked], batch["input_ids"][~asked])
    assert torch.equal(targets[asked], batch["input_ids"][asked])
    assert 0.8 < (masked[asked] == tokenizer.mask_token_id).float().mean() < 1.0
