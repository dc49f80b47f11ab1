from dataclasses import replace

import numpy as np
import onnx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from model.bundle.bundle import open_bundle
from model.bundle.golden import read_golden
from model.bundle.signature import Trust
from model.errors import SelfTestFailed
from model.pipeline import Pipeline
from tests.training.card.plain import write_plain_card
from training.card.numbers import CardError
from training.release.bundle import ReleaseParts, ReleaseRefusedError, release


@pytest.fixture
def parts(small_bundle, signing_key):
    """The parts of the small bundle, its network already exported."""
    old = open_bundle(small_bundle)
    return ReleaseParts(
        network=old.network,
        calibration=old.calibration,
        encoders=small_bundle,
        manifest=old.manifest,
        golden=read_golden(small_bundle).material,
        card=small_bundle / "card.yaml",
        key=signing_key,
        threads=1,
    )


@pytest.fixture
def broken_network(small_bundle, tmp_path_factory):
    """A network whose weights are not numbers."""
    graph = onnx.load(small_bundle / "network.onnx")
    for weights in graph.graph.initializer:
        if weights.data_type == onnx.TensorProto.FLOAT and len(weights.dims) == 2:
            nothing = np.full(tuple(weights.dims), np.nan, dtype=np.float32)
            weights.CopyFrom(onnx.numpy_helper.from_array(nothing, weights.name))
    file = tmp_path_factory.mktemp("networks") / "broken.onnx"
    onnx.save(graph, file)
    return file


def test_a_release_is_signed_and_behaves(parts, signing_key, tmp_path):
    released = release(replace(parts, about={"seed": 7}), tmp_path / "bundle")
    trust = Trust(keys=(signing_key.public_key(),), required=True)
    pipeline = Pipeline.open(tmp_path / "bundle", threads=1, trust=trust)
    assert pipeline.bundle.signature == released.signature
    assert pipeline.warm_up().tolerable
    assert pipeline.provenance.signed_by == released.signature.key
    assert "seed" in (tmp_path / "bundle" / "README.md").read_text()


def test_the_evaluation_travels_in_the_bundle_with_its_digest(parts, tmp_path):
    metrics = tmp_path / "metrics.json"
    metrics.write_text('{"macro_auroc": 0.8}')
    card = write_plain_card(tmp_path / "card.yaml")
    released = release(replace(parts, evaluation=metrics, card=card), tmp_path / "bundle")
    assert (tmp_path / "bundle" / "evaluation.json").read_bytes() == metrics.read_bytes()
    assert "evaluation.json" in released.manifest.files


def test_equal_parts_make_an_equal_bundle(parts, tmp_path):
    one = release(parts, tmp_path / "one")
    other = release(replace(parts, key=Ed25519PrivateKey.generate()), tmp_path / "other")
    assert one.digest == other.digest


def broken_by_its_network(parts, tmp_path, network):
    return replace(parts, network=network), SelfTestFailed


def broken_by_its_card(parts, tmp_path, network):
    card = tmp_path / "card.yaml"
    card.write_text("BasicInfo: {}")
    return replace(parts, card=card), CardError


def broken_by_its_calibration(parts, tmp_path, network):
    return replace(parts, calibration=parts.calibration.model_copy(update={"audio_mean": (0.0,)})), ReleaseRefusedError


def broken_by_its_tasks(parts, tmp_path, network):
    tasks = (parts.manifest.tasks[0].model_copy(update={"name": "mood"}),)
    return replace(parts, manifest=parts.manifest.model_copy(update={"tasks": tasks})), ReleaseRefusedError


@pytest.mark.parametrize(
    "broken", [broken_by_its_network, broken_by_its_card, broken_by_its_calibration, broken_by_its_tasks]
)
def test_a_release_that_fails_leaves_nothing_and_an_older_bundle_as_it_was(parts, tmp_path, broken_network, broken):
    wrong, error = broken(parts, tmp_path, broken_network)
    (tmp_path / "bundles").mkdir()
    with pytest.raises(error):
        release(wrong, tmp_path / "bundles" / "new")
    assert list((tmp_path / "bundles").iterdir()) == []
    digest = release(parts, tmp_path / "bundles" / "kept").digest
    with pytest.raises(error):
        release(wrong, tmp_path / "bundles" / "kept")
    assert [one.name for one in (tmp_path / "bundles").iterdir()] == ["kept"]
    assert open_bundle(tmp_path / "bundles" / "kept").digest == digest


def test_a_complete_release_replaces_an_older_bundle(parts, tmp_path):
    first = release(parts, tmp_path / "bundle")
    second = release(replace(parts, manifest=parts.manifest.model_copy(update={"version": "1"})), tmp_path / "bundle")
    assert first.digest != second.digest
    assert [one.name for one in tmp_path.iterdir()] == ["bundle"]
