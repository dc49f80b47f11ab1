"""One suite for all encoders: what the protocol promises."""

import shutil
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from model.encoders.cancellation import Cancellation
from model.encoders.description import DESCRIPTION, GRAPH, PARITY, fingerprint, read_description, write_description
from model.encoders.encoder import Encoder
from model.encoders.runtime import RuntimeOptions, open_session
from model.encoders.speech import SpeechEncoder
from model.encoders.text import TextEncoder
from model.errors import EncoderClosed, EncodingCancelled

random = np.random.default_rng(0)
WAVEFORMS = [random.standard_normal(samples).astype(np.float32) * 0.1 for samples in (20_000, 90_000, 39_999, 41_000)]
TEXTS = ["I slept badly.", "We went for a walk by the river, and then we went home.", "Not much.", "Work was fine."]


@pytest.fixture(params=["hubert", "roberta", "whisper", "t5"])
def folder(request: pytest.FixtureRequest, encoders: Path, other_encoders: Path) -> Path:
    modality = {"hubert": "speech", "whisper": "speech", "roberta": "text", "t5": "text"}[request.param]
    return (encoders if request.param in {"hubert", "roberta"} else other_encoders) / modality


@pytest.fixture
def encoder(folder: Path) -> Iterator[Encoder[Any]]:
    kind: Any = {"speech": SpeechEncoder, "text": TextEncoder}[folder.name]
    with closing(kind(folder, RuntimeOptions(threads=1))) as encoder:
        yield encoder


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


@settings(max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_the_features_of_a_segment_do_not_depend_on_its_batch(encoder: Encoder[Any], data: st.DataObject) -> None:
    chance = np.random.default_rng(data.draw(st.integers(0, 1_000_000)))
    sizes = data.draw(st.lists(st.integers(1, 40), min_size=2, max_size=8))
    if encoder.description.modality == "speech":
        drawn: list[Any] = [chance.standard_normal(1_500 * size).astype(np.float32) * 0.1 for size in sizes]
    else:
        drawn = [" ".join(chance.choice(TEXTS).split(" ")[0] for _ in range(size)) for size in sizes]
    alone = np.concatenate([encoder.encode([one]) for one in drawn])
    order = data.draw(st.permutations(range(len(sizes))))
    cut = data.draw(st.integers(0, len(order)))
    for members in (order[:cut], order[cut:]):
        found = encoder.encode([drawn[member] for member in members])
        apart = np.linalg.norm(found - alone[members], axis=1)
        assert (apart <= 1e-5 * np.linalg.norm(alone[members], axis=1)).all()


def test_threads_share_an_encoder_and_each_gets_its_own_features(
    encoder: Encoder[Any], material: Sequence[Any]
) -> None:
    alone = encoder.encode(material)
    orders = [[position, (position + 1) % 4] for position in range(4)] * 3
    with ThreadPoolExecutor(12) as pool:
        found = pool.map(lambda order: encoder.encode([material[position] for position in order]), orders)
        for order, features in zip(orders, found, strict=True):
            np.testing.assert_allclose(features, alone[order], rtol=1e-5, atol=1e-6)


def test_cancelled_units_are_not_encoded(encoder: Any, material: Sequence[Any]) -> None:
    cancellation = Cancellation()
    cancellation.cancel()
    with pytest.raises(EncodingCancelled):
        encoder.encode(material, cancellation=cancellation)
    assert encoder.statistics().batches == 0


def test_a_closed_encoder_encodes_nothing(encoder: Encoder[Any], material: Sequence[Any]) -> None:
    encoder.encode(material)
    encoder.close()
    with pytest.raises(EncoderClosed):
        encoder.encode(material)


def test_no_segments_give_no_features(encoder: Encoder[Any]) -> None:
    assert encoder.encode([]).shape == (0, encoder.description.dim)


def test_it_runs_on_the_provider_of_its_provenance(encoder: Encoder[Any]) -> None:
    assert encoder.provider == "CPUExecutionProvider"


def test_the_fingerprint_changes_with_any_file_that_decides_features(
    encoder: Encoder[Any], folder: Path, tmp_path: Path
) -> None:
    assert encoder.fingerprint == fingerprint(folder)
    deciding = [file for file in folder.iterdir() if file.name != PARITY]
    assert len(deciding) >= 2
    for file in deciding:
        copy = tmp_path / file.name
        copy.mkdir()
        for other in folder.iterdir():
            (copy / other.name).write_bytes(other.read_bytes() + (b" " if other == file else b""))
        assert fingerprint(copy) != encoder.fingerprint
    assert (folder / DESCRIPTION).exists()


def test_material_too_short_for_a_frame_or_empty_is_still_encoded(encoder: Encoder[Any]) -> None:
    shortest = {"speech": np.zeros(3, dtype=np.float32), "text": ""}[encoder.description.modality]
    assert np.isfinite(encoder.encode([shortest])).all()


def test_what_lies_beyond_a_segments_end_changes_nothing(encoder: Encoder[Any], folder: Path) -> None:
    session = open_session(folder / GRAPH, RuntimeOptions(threads=1))
    inputs: dict[str, tuple[np.ndarray, int, int]] = {
        "speech": (random.standard_normal(40_000).astype(np.float32), 30_000, 1_234),
        "text": (random.integers(3, 60, size=40), 30, 7),
    }
    material, length, rest = inputs[encoder.description.modality]
    name, valid = (entry.name for entry in session.get_inputs())

    def features(padding: int, value: float) -> np.ndarray:
        row = np.concatenate([material[:length], np.full(padding, value, dtype=material.dtype)])
        (found,) = session.run(["features"], {name: row[None], valid: np.array([length])})
        return found

    alone = features(0, 0)
    np.testing.assert_allclose(features(rest, 0), alone, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(features(rest, 2), alone, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("folder", ["roberta", "t5"], indirect=True)
def test_a_text_beyond_the_window_is_read_to_its_end(folder: Path) -> None:
    text = TextEncoder(folder, RuntimeOptions(threads=1))
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
