"""The service's view of a real, if untrained, bundle."""

import shutil
import sqlite3
import time
import wave
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from service.cli.assess import assess_file, assess_material
from service.errors.tree import ConfigurationRefused, FenceLost
from service.setting_groups import REPOSITORY
from service.settings import Settings
from service.worker.model_adapter import open_model, runtime_of
from service.worker.model_protocol import MaterialUnusable
from service.worker.process import delete_unused_cache

WORDS = b"I slept badly this week. We went for a walk by the river. Work was fine, thank you. Not much, really."


@pytest.fixture(scope="module")
def real(small_bundle):
    model = open_model(Settings(bundle=small_bundle, threads=1))
    model.warm_up()
    yield model
    model.close()


def test_the_loaded_model_is_described_in_values_of_the_service(real):
    assert (real.loaded.bundle, real.loaded.demonstration) == ("small", True)
    assert [(task.name, task.outcomes) for task in real.loaded.tasks] == [("spectrum", ("none", "mild", "severe"))]
    assert real.trace.digest == real.loaded.digest
    assert real.trace.encoders == real.loaded.encoders


def test_a_transcript_becomes_a_result(real, tmp_path):
    preparation = real.prepare(None, WORDS, tmp_path)
    chunks = list(preparation.chunks)
    result = real.score(preparation.summary, [real.encode(chunk.content) for chunk in chunks], "spectrum")
    assert sum(item.probability for item in result.probabilities) == pytest.approx(1)
    assert result.outcome in ("none", "mild", "severe")
    assert sum(chunk.segments for chunk in chunks) == result.quality.segments
    assert result.model == real.trace


def test_a_stage_that_is_lost_is_not_encoded(real, tmp_path):
    (chunk,) = real.prepare(None, WORDS, tmp_path).chunks
    before = real.load()
    with pytest.raises(FenceLost):
        real.encode(chunk.content, lambda stop: stop())
    assert real.load() == before
    assert [load.encoder for load in before] == ["speech", "text"]


def test_silence_abstains_without_chunks(real, tmp_path):
    silence = tmp_path / "silence.wav"
    with wave.open(str(silence), "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", ""))
        file.writeframes(np.zeros(16_000 * 12, dtype=np.int16).tobytes())
    result = assess_material(real, silence, None, "spectrum")
    assert result.outcome is None
    assert any(flag.hard for flag in result.quality.flags)


def test_the_claim_is_checked_while_the_audio_is_decoded(real, tmp_path):
    silence = tmp_path / "silence.wav"
    with wave.open(str(silence), "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", ""))
        file.writeframes(bytes(2 * 16_000 * 12))

    def lost():
        raise FenceLost("The stage was cancelled.")

    with pytest.raises(FenceLost):
        real.prepare(silence, None, tmp_path, check=lost)
    assert [path.name for path in tmp_path.iterdir()] == ["silence.wav"]


def test_unreadable_audio_is_unusable_material(real, tmp_path):
    broken = tmp_path / "broken.wav"
    broken.write_bytes(b"RIFF\x00\x00\x00\x00WAVE" + b"x" * 100)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    with pytest.raises(MaterialUnusable) as refusal:
        real.prepare(broken, None, scratch)
    assert refusal.value.code.startswith("audio_")
    assert refusal.value.advice


def test_a_missing_bundle_is_refused(tmp_path):
    with pytest.raises(ConfigurationRefused, match="bundle"):
        open_model(Settings(bundle=tmp_path / "nowhere"))


@pytest.fixture
def public_pem(signing_key):
    return signing_key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def test_an_answer_names_the_trusted_key_whether_it_is_given_as_text_or_as_a_file(signed_bundle, public_pem, tmp_path):
    (tmp_path / "key.pub").write_text(public_pem)
    signers = {
        open_model(Settings(bundle=signed_bundle, threads=1, trusted_keys=[key])).trace.signed_by
        for key in (public_pem, str(tmp_path / "key.pub"))
    }
    assert len(signers) == 1
    assert None not in signers


@pytest.mark.parametrize("bundle", ["small_bundle", "signed_bundle"])
def test_where_keys_are_trusted_no_other_bundle_is_opened(request, bundle):
    settings = Settings(
        bundle=request.getfixturevalue(bundle), trusted_keys=[str(REPOSITORY / "examples" / "bundle.pub")]
    )
    with pytest.raises(ConfigurationRefused, match="bundle_untrusted"):
        open_model(settings)


@pytest.mark.parametrize("bundle", ["small_bundle", "signed_bundle"])
def test_where_no_key_is_named_a_bundle_of_nobody_s_is_opened_without_naming_a_signer(request, bundle):
    assert open_model(Settings(bundle=request.getfixturevalue(bundle), threads=1)).trace.signed_by is None


def test_the_example_is_known_by_its_key():
    assert open_model(Settings(threads=1)).trace.signed_by is not None


@pytest.mark.parametrize("key", ["nowhere.pub", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----"])
def test_a_key_that_cannot_be_read_is_refused(small_bundle, key):
    with pytest.raises(ConfigurationRefused, match="HILBERT_TRUSTED_KEYS"):
        open_model(Settings(bundle=small_bundle, trusted_keys=[key]))


def test_a_changed_bundle_is_refused(signed_bundle, tmp_path):
    copy = shutil.copytree(signed_bundle, tmp_path / "bundle")
    (copy / "README.md").write_text("# Fit for anything")
    with pytest.raises(ConfigurationRefused, match="bundle_tampered"):
        open_model(Settings(bundle=copy))


def test_a_bundle_that_answers_otherwise_is_refused_before_it_assesses_anything(swapped_bundle, tmp_path):
    settings = Settings(bundle=swapped_bundle, threads=1)
    with pytest.raises(ConfigurationRefused, match="bundle_misbehaves"):
        open_model(settings).warm_up()
    with pytest.raises(ConfigurationRefused, match="bundle_misbehaves"):
        assess_file(settings, tmp_path / "never read", None, "spectrum")


@pytest.mark.parametrize("device", ["cuda", "tensorrt"])
def test_a_device_that_is_not_there_is_refused_before_anything_is_loaded(small_bundle, device):
    with pytest.raises(ConfigurationRefused, match=r"(?s)HILBERT_DEVICE.*device_unavailable.*worker-gpu"):
        open_model(Settings(bundle=small_bundle, threads=1, device=device))


def test_auto_computes_on_what_there_is_and_says_what(small_bundle):
    model = open_model(Settings(bundle=small_bundle, threads=1, device="auto"))
    model.warm_up()
    assert set(model.trace.graphs) == {"speech", "text", "network"}
    assert all(graph.provider and graph.device for graph in model.trace.graphs.values())


def test_settings_become_options_of_the_runtime(tmp_path):
    settings = Settings(
        data_dir=tmp_path, threads=3, device="cuda", device_id=1, device_memory_mb=500, cuda_graphs=True
    )
    options = runtime_of(settings)
    assert (options.threads, options.device, options.device_id, options.cuda_graphs) == (3, "cuda", 1, True)
    assert options.device_memory == 500_000_000
    assert options.engines == tmp_path / "engines"


def test_a_chunk_tried_again_is_not_encoded_again_where_features_are_kept(small_bundle, tmp_path):
    settings = Settings(bundle=small_bundle, data_dir=tmp_path, threads=1, feature_cache_mb=1)
    (tmp_path / "scratch").mkdir()
    first = open_model(settings)
    (chunk,) = first.prepare(None, WORDS, tmp_path / "scratch").chunks
    features = first.encode(chunk.content)
    first.close()
    second = open_model(settings)
    assert second.encode(chunk.content) == features
    assert second._pipeline.cache_counts.misses == 0
    second.close()


def test_cached_features_expire_and_are_deleted_with_the_setting(small_bundle, tmp_path):
    lasting = {"bundle": small_bundle, "data_dir": tmp_path, "threads": 1}
    kept = Settings(**lasting, feature_cache_mb=1, feature_cache_ttl=timedelta(seconds=0.05))
    (tmp_path / "scratch").mkdir()
    model = open_model(kept)
    model.warm_up()
    (chunk,) = model.prepare(None, WORDS, tmp_path / "scratch").chunks
    model.encode(chunk.content)
    deadline = time.monotonic() + 10
    while entries(kept.feature_cache) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert entries(kept.feature_cache) == 0
    model.close()
    delete_unused_cache(kept)
    assert kept.feature_cache.exists()
    delete_unused_cache(Settings(**lasting))
    assert not kept.feature_cache.exists()


def test_by_default_no_features_are_kept(small_bundle, tmp_path):
    (tmp_path / "scratch").mkdir()
    model = open_model(Settings(bundle=small_bundle, data_dir=tmp_path, threads=1))
    (chunk,) = model.prepare(None, WORDS, tmp_path / "scratch").chunks
    model.encode(chunk.content)
    assert [file.name for file in tmp_path.iterdir()] == ["scratch"]


def entries(file: Path) -> int:
    with closing(sqlite3.connect(file)) as kept:
        return kept.execute("SELECT count(*) FROM entry").fetchone()[0]
