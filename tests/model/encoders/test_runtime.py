"""Which provider a graph gets, with which options: checked where there is no GPU."""

from pathlib import Path

import onnxruntime
import pytest

from model.encoders.devices import device_name
from model.encoders.runtime import (
    CPU,
    CUDA,
    TENSORRT,
    GraphFeed,
    RuntimeOptions,
    candidates,
    checked,
    open_session,
    providers,
    session_options,
)
from model.encoders.runtime import _open as open_on
from model.errors import DeviceUnavailable

FEED = GraphFeed(material="waveform", lengths="samples", shapes=((12, 40_000), (6, 80_000), (1, 480_000)))
GPU = (TENSORRT, CUDA, CPU)


def test_a_named_device_is_tried_alone_and_auto_takes_the_best_but_never_builds_engines():
    assert candidates("cpu", GPU) == ("cpu",)
    assert candidates("cuda", GPU) == ("cuda",)
    assert candidates("tensorrt", GPU) == ("tensorrt",)
    assert candidates("auto", GPU) == ("cuda", "cpu")
    assert candidates("auto", (CPU,)) == ("cpu",)


@pytest.mark.parametrize("device", ["cuda", "tensorrt"])
def test_a_named_device_that_the_installation_lacks_is_refused(device):
    with pytest.raises(DeviceUnavailable, match=device) as refusal:
        candidates(device, (CPU,))
    assert "worker-gpu" in refusal.value.advice


def test_the_cpu_provider_has_no_options():
    assert providers("cpu", RuntimeOptions(device_id=3, device_memory=7)) == [(CPU, {})]


def test_cuda_computes_float32_without_tf32_on_the_selected_device_within_its_memory():
    (name, options), last = providers("cuda", RuntimeOptions(device_id=1, device_memory=2_000), FEED)
    assert (name, last) == (CUDA, (CPU, {}))
    assert options == {
        "device_id": "1",
        "gpu_mem_limit": "2000",
        "cudnn_conv_algo_search": "HEURISTIC",
        "arena_extend_strategy": "kSameAsRequested",
        "do_copy_in_default_stream": "1",
        "use_tf32": "0",
        "enable_cuda_graph": "0",
    }
    assert "gpu_mem_limit" not in providers("cuda", RuntimeOptions())[0][1]


@pytest.mark.parametrize(("wanted", "capturable"), [(True, True), (True, False), (False, True)])
def test_cuda_graphs_are_captured_only_where_configured_and_possible(wanted, capturable):
    feed = GraphFeed(material="tokens", lengths="valid", shapes=(), capturable=capturable)
    options = RuntimeOptions(cuda_graphs=wanted)
    expected = str(int(wanted and capturable))
    assert providers("cuda", options, feed)[0][1]["enable_cuda_graph"] == expected
    assert providers("tensorrt", options, feed)[0][1]["trt_cuda_graph_enable"] == expected


def test_tensorrt_caches_its_engines_and_is_built_for_the_expected_shapes(tmp_path):
    (name, options), (second, _), _ = providers("tensorrt", RuntimeOptions(engines=tmp_path), FEED)
    assert (name, second) == (TENSORRT, CUDA)
    assert options["trt_engine_cache_path"] == options["trt_timing_cache_path"] == str(tmp_path)
    assert (options["trt_engine_cache_enable"], options["trt_timing_cache_enable"]) == ("1", "1")
    assert options["trt_profile_min_shapes"] == "waveform:1x40000,samples:1"
    assert options["trt_profile_opt_shapes"] == "waveform:6x80000,samples:6"
    assert options["trt_profile_max_shapes"] == "waveform:12x480000,samples:12"


def test_tensorrt_rounds_to_float16_only_what_was_exported_so():
    half = GraphFeed(material="tokens", lengths="valid", shapes=(), half=True)
    flags = [providers("tensorrt", RuntimeOptions(), feed)[0][1]["trt_fp16_enable"] for feed in (None, FEED, half)]
    assert flags == ["0", "0", "1"]


def test_all_option_values_are_text_as_the_runtime_takes_them():
    options = RuntimeOptions(device_memory=1, engines=Path("engines"), cuda_graphs=True)
    for device in ("cuda", "tensorrt"):
        assert {type(value) for _, chosen in providers(device, options, FEED) for value in chosen.values()} == {str}


def test_sessions_hold_few_threads_and_an_arena_without_patterns():
    settings = session_options(RuntimeOptions(threads=3))
    assert (settings.intra_op_num_threads, settings.inter_op_num_threads) == (3, 1)
    assert settings.enable_cpu_mem_arena
    assert not settings.enable_mem_pattern
    assert settings.get_session_config_entry("session.intra_op.allow_spinning") == "0"


def test_a_session_that_fell_back_to_the_cpu_is_refused(encoders):
    session = open_session(encoders / "text" / "encoder.onnx", RuntimeOptions(threads=1))
    assert checked(session, "cpu") is session
    with pytest.raises(DeviceUnavailable, match="would run on CPUExecutionProvider"):
        checked(session, "cuda")


@pytest.mark.skipif(CUDA in onnxruntime.get_available_providers(), reason="this runtime can compute on a GPU")
def test_where_the_runtime_itself_goes_on_with_the_cpu_the_graph_is_refused(encoders):
    with (
        pytest.warns(UserWarning, match="CUDAExecutionProvider"),
        pytest.raises(DeviceUnavailable, match="would run on"),
    ):
        open_on(encoders / "text" / "encoder.onnx", "cuda", RuntimeOptions(threads=1), None)


@pytest.mark.skipif(CUDA in onnxruntime.get_available_providers(), reason="this runtime can compute on a GPU")
def test_without_a_gpu_auto_computes_on_the_cpu_and_cuda_opens_nothing(encoders):
    graph = encoders / "text" / "encoder.onnx"
    assert open_session(graph, RuntimeOptions(threads=1, device="auto")).get_providers() == [CPU]
    with pytest.raises(DeviceUnavailable):
        open_session(graph, RuntimeOptions(threads=1, device="cuda"))


def test_a_device_has_a_name():
    assert device_name(CPU, 0)
    assert device_name(CUDA, 1).startswith("cuda:1")
