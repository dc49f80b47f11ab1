import sqlite3
import subprocess
import sys
import threading
import weakref
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from model.bundle.bundle import open_bundle
from model.bundle.golden import read_golden
from model.cache.cached_encoder import CacheCounts
from model.cache.segment_cache import SegmentCache
from model.encoders.runtime import RuntimeOptions
from model.errors import BundleInvalid, EncoderClosed, TaskNotInBundle, TranscriptUnreadable
from model.features import SegmentChunk, SegmentFeatures
from model.pipeline import Document, Pipeline, Prepared, ScoringResult

EXAMPLES = Path("examples")
AUDIO, TRANSCRIPT = EXAMPLES / "interview.flac", EXAMPLES / "interview.vtt"


@pytest.fixture(scope="module")
def pipeline(small_bundle: Path) -> Iterator[Pipeline]:
    with Pipeline.open(small_bundle, threads=2) as pipeline:
        yield pipeline


@pytest.fixture(scope="module")
def prepared(pipeline: Pipeline, tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    return pipeline.prepare(audio=AUDIO, transcript=TRANSCRIPT.read_bytes(), scratch=tmp_path_factory.mktemp("scratch"))


@pytest.fixture(scope="module")
def features(pipeline: Pipeline, prepared: Prepared) -> list[SegmentFeatures]:
    return [pipeline.encode(chunk) for chunk in prepared.chunks()]


def risks(assessment: ScoringResult) -> list[float]:
    return [one.probability for one in assessment.probabilities]


def test_a_recording_becomes_an_assessment(
    pipeline: Pipeline, prepared: Prepared, features: list[SegmentFeatures]
) -> None:
    found = pipeline.score(prepared.document, features, "spectrum")
    assert found.outcome in {"none", "mild", "severe"}
    assert sum(risks(found)) == pytest.approx(1)
    assert found.contributions is not None
    assert found.contributions.outcome == found.outcome
    moved = [abs(one.audio_effect) + abs(one.text_effect) for one in found.segments]
    assert moved == sorted(moved, reverse=True)
    assert all(one.text and 0 <= one.start < one.end <= found.quality.duration_seconds for one in found.segments)
    assert found.quality.segments == len(prepared.document.segmentation.segments)
    assert found.model.digest == pipeline.bundle.digest
    assert found.model.provider == found.model.graphs["speech"].provider == "CPUExecutionProvider"


def test_the_stages_apart_give_what_assess_gives(
    pipeline: Pipeline, prepared: Prepared, features: list[SegmentFeatures], tmp_path: Path
) -> None:
    whole = pipeline.assess(audio=AUDIO, transcript=TRANSCRIPT.read_bytes(), scratch=tmp_path, task="spectrum")
    document = Document.from_json(prepared.document.to_json())
    assert document == prepared.document
    carried = [SegmentFeatures.from_bytes(part.to_bytes()) for part in reversed(features)]
    apart = pipeline.score(document, carried, "spectrum")
    np.testing.assert_allclose(risks(apart), risks(whole), atol=1e-6)
    assert [one.index for one in apart.segments] == [one.index for one in whole.segments]


def test_a_chunk_from_the_object_store_encodes_alike(
    pipeline: Pipeline, prepared: Prepared, features: list[SegmentFeatures]
) -> None:
    chunk = next(prepared.chunks())
    again = pipeline.encode(SegmentChunk.from_bytes(chunk.to_bytes()))
    np.testing.assert_array_equal(again.audio, features[0].audio)
    np.testing.assert_array_equal(again.text, features[0].text)


@pytest.mark.parametrize("withheld", ["audio", "text"])
def test_one_modality_is_enough_and_the_other_contributes_nothing(
    pipeline: Pipeline, tmp_path: Path, withheld: str
) -> None:
    found = pipeline.assess(
        audio=None if withheld == "audio" else AUDIO,
        transcript=None if withheld == "text" else TRANSCRIPT.read_bytes(),
        scratch=tmp_path,
        task="spectrum",
    )
    flag = {"audio": "audio_missing", "text": "transcript_missing"}[withheld]
    assert flag in {one.code for one in found.quality.flags}
    assert found.outcome is not None
    assert found.contributions is not None
    assert getattr(found.contributions, withheld) == pytest.approx(0, abs=1e-6)


def test_too_little_material_abstains_without_a_number(pipeline: Pipeline, tmp_path: Path) -> None:
    prepared = pipeline.prepare(audio=None, transcript=b"Not much.", scratch=tmp_path)
    assert prepared.document.abstains
    assert list(prepared.chunks()) == []
    found = pipeline.score(prepared.document, [], "spectrum")
    assert found.outcome is None
    assert found.probabilities == ()
    assert found.contributions is None
    assert found.segments == ()
    assert any(flag.hard for flag in found.quality.flags)


def test_a_malformed_transcript_is_refused(pipeline: Pipeline, tmp_path: Path) -> None:
    with pytest.raises(TranscriptUnreadable):
        pipeline.prepare(audio=None, transcript=b"WEBVTT\n\n00:00:xx --> 00:01\nwords", scratch=tmp_path)


def test_an_unknown_task_is_refused(pipeline: Pipeline, prepared: Prepared, features: list[SegmentFeatures]) -> None:
    with pytest.raises(TaskNotInBundle):
        pipeline.score(prepared.document, features, "iq")


def test_a_document_prepared_for_another_bundle_is_refused(
    pipeline: Pipeline, prepared: Prepared, features: list[SegmentFeatures]
) -> None:
    other = Document(bundle_digest="0" * 64, segmentation=prepared.document.segmentation)
    with pytest.raises(BundleInvalid):
        pipeline.score(other, features, "spectrum")


def test_warming_up_answers_the_golden_recording(small_bundle: Path) -> None:
    with Pipeline.open(small_bundle, threads=1) as pipeline:
        assert pipeline.statistics() == {}
        found = pipeline.warm_up()
        assert max(found.speech, found.text, found.probabilities, found.contributions) < 1e-5
        assert {name: one.entries for name, one in pipeline.statistics().items()} == {"speech": 2, "text": 2}


def test_a_closed_pipeline_encodes_nothing_and_leaves_no_thread(small_bundle: Path) -> None:
    before = set(threading.enumerate())
    with Pipeline.open(small_bundle, threads=1) as pipeline:
        pipeline.warm_up()
        assert len(set(threading.enumerate()) - before) == 2
    assert set(threading.enumerate()) <= before
    with pytest.raises(EncoderClosed):
        pipeline.encode(read_golden(small_bundle).material)


def test_the_provenance_names_each_graph_its_provider_and_its_device(pipeline: Pipeline) -> None:
    graphs, manifest = pipeline.provenance.graphs, pipeline.manifest
    assert {name: graph.digest for name, graph in graphs.items()} == {
        **{str(stream): digest for stream, digest in manifest.encoders.items()},
        "network": manifest.files["network.onnx"],
    }
    assert {graph.provider for graph in graphs.values()} == {"CPUExecutionProvider"}
    assert {graph.precision for graph in graphs.values()} == {"float32"}
    assert len({graph.device for graph in graphs.values()}) == 1


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[SegmentCache]:
    cache = SegmentCache(tmp_path / "features.sqlite")
    yield cache
    cache.close()


def test_what_was_encoded_before_is_not_encoded_again_by_another_pipeline(
    small_bundle: Path, cache: SegmentCache
) -> None:
    bundle, options = open_bundle(small_bundle), RuntimeOptions(threads=1)
    chunk = read_golden(small_bundle).material
    with Pipeline(bundle, options, cache) as first:
        before = first.encode(chunk).to_bytes()
        assert first.cache_counts == CacheCounts(hits=0, misses=4)
    with Pipeline(bundle, options, cache) as second:
        assert second.encode(chunk).to_bytes() == before
        assert second.cache_counts == CacheCounts(hits=4, misses=0)


def test_the_golden_recording_is_computed_also_with_a_cache(small_bundle: Path, cache: SegmentCache) -> None:
    bundle, options = open_bundle(small_bundle), RuntimeOptions(threads=1)
    chunk = read_golden(small_bundle).material
    with Pipeline(bundle, options, cache) as pipeline:
        pipeline.encode(chunk)
    wrong = {key: b"\0" * len(cache.get([key])[key]) for key in keys(cache)}
    cache.put(wrong)
    with Pipeline(bundle, options, cache) as pipeline:
        assert pipeline.warm_up().tolerable
        assert not pipeline.encode(chunk).audio.any()


def test_a_closed_pipeline_gives_its_graphs_memory_back(small_bundle: Path) -> None:
    pipeline = Pipeline.open(small_bundle, threads=1)
    pipeline.warm_up()
    graph = weakref.ref(pipeline.scorer)
    pipeline.close()
    assert graph() is None


def keys(cache: SegmentCache) -> list[str]:
    with closing(sqlite3.connect(cache.file)) as kept:
        return [key for (key,) in kept.execute("SELECT key FROM entry")]


def test_loading_a_bundle_again_and_again_takes_no_more_memory() -> None:
    # Two pipelines that are not closed are enough to fail it: each holds about 10 MB of the 146.
    command = (sys.executable, "bench/reload.py", "--times", "5", "--threads", "1")
    environment = {"PYTHONPATH": ".", "PATH": ""}
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
