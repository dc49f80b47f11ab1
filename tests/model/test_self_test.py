import math
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from model.bundle.bundle import open_bundle, seal
from model.bundle.golden import Golden, GoldenOutput, read_golden
from model.bundle.signature import Trust
from model.encoders.runtime import RuntimeOptions
from model.errors import BundleInvalid, SelfTestFailed
from model.pipeline import Document, Pipeline
from model.segments.quality import RecordingQuality
from model.segments.segment import Segmentation
from model.self_test import Deviation, compute_output, measure_deviation, open_graphs, run_self_test

OPTIONS = RuntimeOptions(threads=1)


@pytest.fixture(scope="module")
def golden(small_bundle: Path) -> Golden:
    return read_golden(small_bundle)


@pytest.fixture(scope="module")
def observed(small_bundle: Path, golden: Golden) -> GoldenOutput:
    return compute_output(open_graphs(open_bundle(small_bundle), OPTIONS), golden.material)


def with_features(behaviour: GoldenOutput, scale: float) -> GoldenOutput:
    return replace(behaviour, features=replace(behaviour.features, audio=behaviour.features.audio * np.float32(scale)))


def test_a_bundle_behaves_where_it_was_released(golden: Golden, observed: GoldenOutput) -> None:
    found = measure_deviation(golden.expected, observed)
    assert found.tolerable
    assert max(found.speech, found.text, found.probabilities, found.contributions) < 1e-5


def test_the_golden_answers_cover_both_modalities_and_each_alone(golden: Golden) -> None:
    answer = golden.expected.answers["spectrum"]
    for risks in (answer.both, answer.audio, answer.text):
        assert sum(risks) == pytest.approx(1)
    assert len({answer.both, answer.audio, answer.text}) == 3
    for one in answer.contributions:
        assert one.audio + one.text == pytest.approx(one.total - one.baseline)


def test_another_network_under_right_digests_and_signature_is_refused(
    swapped_bundle: Path, signing_key: Ed25519PrivateKey
) -> None:
    trust = Trust(keys=(signing_key.public_key(),), required=True)
    pipeline = Pipeline.open(swapped_bundle, threads=1, trust=trust)
    with pytest.raises(SelfTestFailed, match="probabilities"):
        pipeline.warm_up()


def test_nothing_is_encoded_or_scored_by_a_bundle_that_misbehaves(swapped_bundle: Path, golden: Golden) -> None:
    pipeline = Pipeline.open(swapped_bundle, threads=1)
    nothing = Segmentation(
        has_audio=True,
        has_text=True,
        segments=(),
        quality=RecordingQuality(
            duration_seconds=0.0, speech_seconds=0.0, segments=0, words=0, snr_db=None, clipping=None, flags=()
        ),
    )
    document = Document(bundle_digest=pipeline.bundle.digest, segmentation=nothing)
    for use in (
        lambda: pipeline.encode(golden.material),
        lambda: pipeline.score(document, [golden.expected.features], "spectrum"),
        lambda: pipeline.scorer,
        lambda: pipeline.provenance,
        pipeline.warm_up,
        pipeline.warm_up,
    ):
        with pytest.raises(SelfTestFailed):
            use()


def test_other_features_are_noticed_even_if_the_score_is_the_same(golden: Golden, observed: GoldenOutput) -> None:
    assert not measure_deviation(golden.expected, with_features(observed, 1.02)).tolerable
    assert measure_deviation(golden.expected, with_features(observed, 1.001)).tolerable


def test_what_cannot_be_compared_is_not_tolerable(golden: Golden, observed: GoldenOutput) -> None:
    narrower = replace(observed, features=replace(observed.features, text=observed.features.text[:, 1:]))
    fewer = replace(observed, answers={})
    renamed = replace(observed, answers={"mood": observed.answers["spectrum"]})
    for other in (narrower, fewer, renamed, with_features(observed, math.nan)):
        assert not measure_deviation(golden.expected, other).tolerable


@pytest.mark.parametrize("name", ["speech", "text", "probabilities", "contributions"])
def test_one_difference_too_large_is_enough(name: str) -> None:
    none = dict.fromkeys(("speech", "text", "probabilities", "contributions"), 0.0)
    assert Deviation(**none).tolerable
    for value in (0.03, math.nan, math.inf):
        assert not Deviation(**none | {name: value}).tolerable


def test_a_bundle_without_its_golden_recording_is_refused(small_bundle: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(small_bundle, tmp_path / "bundle"))
    shutil.rmtree(copy / "golden")
    seal(copy, open_bundle(small_bundle).manifest)
    with pytest.raises(BundleInvalid, match="golden recording"):
        Pipeline.open(copy, threads=1).warm_up()


@pytest.mark.parametrize("name", ["material.safetensors", "features.safetensors", "answers.json"])
def test_a_malformed_golden_recording_is_refused(small_bundle: Path, tmp_path: Path, name: str) -> None:
    copy = Path(shutil.copytree(small_bundle, tmp_path / "bundle"))
    (copy / "golden" / name).write_bytes(b"\x00")
    with pytest.raises(BundleInvalid, match="malformed"):
        read_golden(copy)


def test_a_check_returns_its_problems(small_bundle: Path, golden: Golden) -> None:
    assert run_self_test(open_graphs(open_bundle(small_bundle), OPTIONS), golden).tolerable
