"""One suite for all encoders: what the protocol promises."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model.encoders.description import DESCRIPTION, fingerprint, read_description, write_description
from model.encoders.encoder import Encoder
from model.encoders.runtime import RuntimeOptions
from model.encoders.speech import SpeechEncoder
from model.encoders.text import TextEncoder

random = np.random.default_rng(0)
WAVEFORMS = [random.standard_normal(samples).astype(np.float32) * 0.1 for samples in (20_000, 90_000, 39_999, 41_000)]
TEXTS = ["I slept badly.", "We went for a walk by the river, and then we went home.", "Not much.", "Work was fine."]


@pytest.fixture(params=["speech", "text"])
def encoder(request: pytest.FixtureRequest, encoders: Path) -> Encoder[Any]:
    kind = {"speech": SpeechEncoder, "text": TextEncoder}[request.param]
    return kind(encoders / request.param, RuntimeOptions(threads=1))


@pytest.fixture
def material(encoder: Encoder[Any]) -> Sequence[Any]:
    return WAVEFORMS if encoder.description.modality == "speech" else TEXTS


def test_each_segment_gives_one_vector(encoder: Encoder[Any], material: Sequence[Any]) -> None:
    features = encoder.encode(material)
    assert features.shape == (4, encoder.description.dim)
    assert np.isfinite(features).all()
    assert len({tuple(row) for row in features.round(4).tolist()}) == 4


def test_features_never_depend_on_batch_mates_or_their_order(encoder: Encoder[Any], material: Sequence[Any]) -> None:
    together = encoder.encode(material)
    for position, one in enumerate(material):
        np.testing.assert_allclose(encoder.encode([one])[0], together[position], rtol=1e-5, atol=1e-6)
    order = [2, 0, 3, 1]
    np.testing.assert_allclose(encoder.encode([material[i] for i in order]), together[order], rtol=1e-5, atol=1e-6)


def test_no_segments_give_no_features(encoder: Encoder[Any]) -> None:
    assert encoder.encode([]).shape == (0, encoder.description.dim)


def test_it_runs_where_the_trace_says(encoder: Encoder[Any]) -> None:
    assert encoder.provider == "CPUExecutionProvider"


def test_the_fingerprint_changes_with_any_file(encoder: Encoder[Any], encoders: Path, tmp_path: Path) -> None:
    folder = encoders / encoder.description.modality
    assert encoder.fingerprint == fingerprint(folder)
    for file in folder.iterdir():
        copy = tmp_path / file.name
        copy.mkdir()
        for other in folder.iterdir():
            (copy / other.name).write_bytes(other.read_bytes() + (b" " if other == file else b""))
        assert fingerprint(copy) != encoder.fingerprint
    assert (folder / DESCRIPTION).exists()


def test_a_waveform_too_short_for_a_frame_is_still_encoded(encoders: Path) -> None:
    speech = SpeechEncoder(encoders / "speech", RuntimeOptions(threads=1))
    assert np.isfinite(speech.encode([np.zeros(3, dtype=np.float32)])).all()


def test_an_empty_text_is_still_encoded(encoders: Path) -> None:
    assert np.isfinite(TextEncoder(encoders / "text", RuntimeOptions(threads=1)).encode([""])).all()


def test_a_text_beyond_the_window_is_read_to_its_end(encoders: Path) -> None:
    text = TextEncoder(encoders / "text", RuntimeOptions(threads=1))
    opening = "We went for a walk by the river. " * 20
    one, other = text.encode([opening + "I slept badly.", opening + "Work was fine, thank you."])
    assert not np.allclose(one, other, atol=1e-5)


def test_dither_is_the_same_for_all_and_hides_what_is_fainter(encoders: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(encoders / "speech", tmp_path / "speech"))
    description = read_description(folder)
    write_description(folder, description.model_copy(update={"dither": 0.002}))
    plain = SpeechEncoder(encoders / "speech", RuntimeOptions(threads=1))
    dithered = SpeechEncoder(folder, RuntimeOptions(threads=1))
    faint = random.standard_normal((2, 20_000)).astype(np.float32) * 1e-5

    def distance(encoder: SpeechEncoder) -> float:
        one, other = encoder.encode(list(faint))
        return float(np.abs(one - other).max())

    assert distance(dithered) < 0.2 * distance(plain)
    np.testing.assert_allclose(dithered.encode(WAVEFORMS)[2], dithered.encode([WAVEFORMS[2]])[0], atol=1e-6)
    assert dithered.fingerprint != plain.fingerprint
