import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import WhisperFeatureExtractor, WhisperModel

from model.encoders.description import read_description
from model.encoders.runtime import RuntimeOptions
from model.encoders.speech import SpeechEncoder
from model.errors import UnsupportedEncoder
from model.export.architectures.whisper import LogMel
from model.export.encoder import export_encoder
from model.export.probes import synthetic_voice

VOICE = synthetic_voice(2.7).numpy()
NOISE = np.random.default_rng(3).standard_normal(37_123).astype(np.float32) * 0.2


def hub_features(checkpoint: Path, waveform: np.ndarray) -> np.ndarray:
    """The mean of layers 4 and 5, from the checkpoint's own layers fed with the frames within the segment alone."""
    encoder = WhisperModel.from_pretrained(checkpoint).eval().encoder
    bands = WhisperFeatureExtractor.from_pretrained(checkpoint)(waveform, sampling_rate=16_000, return_tensors="pt")
    frames = -(-len(waveform) // 320)
    with torch.no_grad():
        hidden = torch.nn.functional.gelu(encoder.conv1(bands.input_features))
        hidden = torch.nn.functional.gelu(encoder.conv2(hidden)).transpose(1, 2) + encoder.embed_positions.weight
        outputs = [hidden[:, :frames]]
        for layer in encoder.layers:
            outputs.append(layer(outputs[-1], None))
        fourth, fifth = (encoder.layer_norm(output) for output in outputs[4:6])
    return ((fourth + fifth) / 2)[0].mean(dim=0).numpy()


@pytest.mark.parametrize("bands", [80, 128])
@pytest.mark.parametrize("waveform", [VOICE, NOISE, np.tile(VOICE, 2), np.zeros(9_000, dtype=np.float32)])
def test_the_spectrogram_is_that_of_the_feature_extractor(waveform: np.ndarray, bands: int) -> None:
    extractor = WhisperFeatureExtractor(feature_size=bands, chunk_length=3)
    window = np.zeros((1, extractor.n_samples), dtype=np.float32)
    heard = min(len(waveform), extractor.n_samples)
    window[0, :heard] = waveform[:heard]
    expected = extractor(waveform, sampling_rate=16_000, return_tensors="np").input_features
    np.testing.assert_allclose(LogMel(extractor)(torch.from_numpy(window)), expected, atol=1.5e-4)


@pytest.mark.parametrize("waveform", [VOICE, NOISE])
def test_whisper_gives_the_checkpoints_own_features(waveform: np.ndarray, whisper: Path, other_encoders: Path) -> None:
    speech = SpeechEncoder(other_encoders / "speech", RuntimeOptions(threads=1))
    np.testing.assert_allclose(speech.encode([waveform])[0], hub_features(whisper, waveform), atol=2e-5)


def test_a_whole_window_has_the_features_of_the_checkpoints_own_forward_pass(
    whisper: Path, other_encoders: Path
) -> None:
    waveform = np.tile(VOICE, 2)[:48_000]
    encoder = WhisperModel.from_pretrained(whisper).eval().encoder
    bands = WhisperFeatureExtractor.from_pretrained(whisper)(waveform, sampling_rate=16_000, return_tensors="pt")
    with torch.no_grad():
        output = encoder(bands.input_features, output_hidden_states=True)
        fourth, fifth = encoder.layer_norm(output.hidden_states[4]), output.last_hidden_state
    speech = SpeechEncoder(other_encoders / "speech", RuntimeOptions(threads=1))
    expected = ((fourth + fifth) / 2)[0].mean(dim=0).numpy()
    np.testing.assert_allclose(speech.encode([waveform])[0], expected, atol=2e-5)


def test_a_loud_segment_does_not_change_the_noise_floor_of_a_quiet_one() -> None:
    log_mel = LogMel(WhisperFeatureExtractor(chunk_length=1))
    quiet, loud = torch.randn(2, 16_000) * torch.tensor([[1e-4], [1.0]])
    torch.testing.assert_close(log_mel(torch.stack([quiet, loud]))[0], log_mel(quiet[None])[0])


def test_a_segment_beyond_the_window_is_encoded_to_its_end(other_encoders: Path) -> None:
    speech = SpeechEncoder(other_encoders / "speech", RuntimeOptions(threads=1))
    long = np.concatenate([VOICE, NOISE[:6_000], VOICE, NOISE])
    parts = np.array_split(long, -(-len(long) // 48_000))
    expected = np.average(speech.encode(parts), axis=0, weights=[len(part) for part in parts])
    found = speech.encode([NOISE, long])
    np.testing.assert_allclose(found[1], expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(found[0], speech.encode([NOISE])[0], rtol=1e-5, atol=1e-6)


def test_the_description_gives_the_cost_of_a_segment(other_encoders: Path) -> None:
    description = read_description(other_encoders / "speech")
    assert (description.architecture, description.window, description.layers) == ("whisper", 48_000, (4, 5))
    assert description.parity <= 1e-4


@pytest.mark.parametrize(("name", "value"), [("n_samples", 32_000), ("feature_size", 40)])
def test_a_feature_extractor_of_another_encoder_is_refused(
    name: str, value: int, whisper: Path, tmp_path: Path
) -> None:
    checkpoint = Path(shutil.copytree(whisper, tmp_path / "checkpoint"))
    settings = json.loads((checkpoint / "preprocessor_config.json").read_text())
    changed = {"n_samples": {"chunk_length": value // 16_000}, "feature_size": {"feature_size": value}}[name]
    (checkpoint / "preprocessor_config.json").write_text(json.dumps(settings | changed))
    with pytest.raises(UnsupportedEncoder, match="differ in window or mel bands"):
        export_encoder(str(checkpoint), tmp_path / "encoder")
