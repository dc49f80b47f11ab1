"""The way of a device, taken on the CPU: bindings and kept memory give what a plain run gives."""

from dataclasses import replace

import numpy as np
import pytest

from model.encoders.running import GraphRunner
from model.encoders.runtime import GraphFeed, RuntimeOptions

random = np.random.default_rng(0)
OPTIONS = RuntimeOptions(threads=1, cuda_graphs=True)
TOKENS = GraphFeed(material="tokens", lengths="valid", shapes=((2, 16), (4, 8)), capturable=True)
SAMPLES = GraphFeed(material="waveform", lengths="samples", shapes=((2, 8_000),), capturable=True)


def texts(rows, length):
    return {"tokens": random.integers(3, 60, size=(rows, length)), "valid": random.integers(1, length, size=rows)}


def waves(rows, length):
    waveform = random.standard_normal((rows, length)).astype(np.float32)
    return {"waveform": waveform, "samples": random.integers(4_000, length, size=rows)}


@pytest.mark.parametrize(("modality", "feed", "made"), [("text", TOKENS, texts), ("speech", SAMPLES, waves)])
@pytest.mark.parametrize("capturable", [True, False])
def test_a_run_with_bound_inputs_gives_the_same_result_as_a_plain_run(encoders, modality, feed, made, capturable):
    graph = encoders / modality / "encoder.onnx"
    plain = GraphRunner(graph, OPTIONS, feed)
    bound = GraphRunner(graph, OPTIONS, replace(feed, capturable=capturable), bind=True)
    bound.warm_up()
    length = feed.shapes[0][1]
    # Full batches again and again, so that kept memory is met with other content, and others in between.
    for rows, wide in [(2, length), (2, length), (1, length), (2, length), (2, length + 5), (2, length)]:
        inputs = made(rows, wide)
        np.testing.assert_array_equal(bound.run(inputs)[0], plain.run(inputs)[0])


def test_the_output_of_a_run_is_not_changed_by_the_next_run(encoders):
    runner = GraphRunner(encoders / "text" / "encoder.onnx", OPTIONS, TOKENS, bind=True)
    runner.warm_up()
    assert len(runner._bound._recorded) == len(TOKENS.shapes)
    inputs = texts(2, 16)
    (first,) = runner.run(inputs)
    kept = first.copy()
    runner.run(texts(2, 16))
    np.testing.assert_array_equal(first, kept)
    np.testing.assert_array_equal(runner.run(inputs)[0], kept)


def test_only_the_named_outputs_are_fetched(encoders):
    graph = encoders / "text" / "encoder.onnx"
    for bind in (False, True):
        assert len(GraphRunner(graph, OPTIONS, TOKENS, bind=bind).run(texts(1, 4), ["features"])) == 1


def test_arrays_that_are_views_are_bound_as_they_read(encoders):
    graph = encoders / "text" / "encoder.onnx"
    inputs = texts(2, 32)
    inputs["tokens"] = inputs["tokens"][:, ::2]
    inputs["valid"] = np.minimum(inputs["valid"], 16)
    plain, bound = GraphRunner(graph, OPTIONS), GraphRunner(graph, OPTIONS, TOKENS, bind=True)
    for _ in range(2):
        np.testing.assert_array_equal(bound.run(inputs)[0], plain.run(inputs)[0])
