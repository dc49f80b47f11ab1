"""ONNX Runtime sessions for encoders and network.

A named device is used or refused; only `auto` falls back to the CPU (decision 0020). The choice of providers and
options is made by pure functions, so that tests need no GPU.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

# Official builds send telemetry from the first import on, unless it is disabled before (decision 0006).
os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # noqa: TID251 - set for the library, not read as a setting

import onnxruntime

from model.errors import DeviceUnavailable

RUNTIME_VERSION: str = onnxruntime.__version__
CUDA_VERSION: str = getattr(onnxruntime, "cuda_version", "") or ""  # CUDA version of the build; empty without CUDA

# Only this module imports the runtime (decision 0006); other modules use these aliases.
Session: TypeAlias = onnxruntime.InferenceSession
Binding: TypeAlias = onnxruntime.IOBinding
DeviceValue: TypeAlias = onnxruntime.OrtValue
RunOptions: TypeAlias = onnxruntime.RunOptions

Device = Literal["cpu", "cuda", "tensorrt", "auto"]
Provider = tuple[str, dict[str, str]]

CPU = "CPUExecutionProvider"
CUDA = "CUDAExecutionProvider"
TENSORRT = "TensorrtExecutionProvider"
NAMES: dict[Device, str] = {"cpu": CPU, "cuda": CUDA, "tensorrt": TENSORRT}
# On the CPU the fused sum and layer norm take 48 ms in the layers of HuBERT-base, the separate operators 13 ms.
SLOW_FUSIONS = ("SkipLayerNormFusion",)


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeOptions:
    """Device, threads and memory of graphs."""

    threads: int = 2
    linger: float = 0.0  # seconds that an encoder's batch with free budget waits for more units
    device: Device = "cpu"
    device_id: int = 0  # number of the GPU in the driver
    device_memory: int | None = None  # maximum GPU memory of the arena of a graph, in bytes; None: no limit
    engines: Path | None = None  # folder of the engine cache of TensorRT
    cuda_graphs: bool = False  # replay full batches as CUDA graphs where the graph allows it


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphFeed:
    """The inputs of an encoder graph: their names, and (rows, length) of the full batch of each bucket."""

    material: str  # (rows, length)
    lengths: str  # (rows,)
    shapes: tuple[tuple[int, int], ...]
    half: bool = False  # whether the weights are float16
    capturable: bool = False  # no control flow, and all operators run on a GPU


def candidates(device: Device, available: Collection[str]) -> tuple[Device, ...]:
    """The devices to try, in order; raises DeviceUnavailable when the named one is not in this installation.

    `auto` never selects TensorRT, which takes minutes to build engines and computes differently.
    """
    if device == "auto":
        return ("cuda", "cpu") if CUDA in available else ("cpu",)
    if NAMES[device] not in available:
        raise DeviceUnavailable(f"ONNX Runtime as installed here cannot compute on {device}")
    return (device,)


def providers(device: Device, options: RuntimeOptions, feed: GraphFeed | None = None) -> list[Provider]:
    """The list of execution providers with options for a device; the CPU is always the last one."""
    chosen: list[Provider] = []
    if device == "tensorrt":
        chosen.append((TENSORRT, _tensorrt(options, feed)))
    if device in {"cuda", "tensorrt"}:
        chosen.append((CUDA, _cuda(options, feed)))
    return [*chosen, (CPU, {})]


def captures(options: RuntimeOptions, feed: GraphFeed | None) -> bool:
    """Whether full batches are recorded as CUDA graphs."""
    return options.cuda_graphs and feed is not None and feed.capturable


def refuse_missing(options: RuntimeOptions) -> None:
    """Raise DeviceUnavailable if this installation lacks the configured device. It may still fail in `open_session`."""
    candidates(options.device, onnxruntime.get_available_providers())


def open_session(graph: Path, options: RuntimeOptions, feed: GraphFeed | None = None) -> Session:
    """Open a graph on the configured device; raises DeviceUnavailable when it cannot run there.

    ONNX Runtime itself falls back to the CPU when a GPU fails, with a log line only. Here only `auto` falls back.
    """
    devices = candidates(options.device, onnxruntime.get_available_providers())
    for device in devices[:-1]:
        try:
            return _open(graph, device, options, feed)
        except DeviceUnavailable:
            continue
    return _open(graph, devices[-1], options, feed)


def session_options(options: RuntimeOptions) -> onnxruntime.SessionOptions:
    """The options of all sessions (decision 0023).

    By default every session uses all cores, and idle threads spin. Here the number of threads is fixed, operators run
    sequentially, and threads do not spin. The arena stays on: without it the system allocates and clears every large
    result again (2.4 instead of 1.8 s for 20 s of speech in HuBERT-base). Its size is bounded by the largest batch.
    Memory patterns are off, because every length would need its own pattern.
    """
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = options.threads
    settings.inter_op_num_threads = 1
    settings.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    settings.enable_cpu_mem_arena = True
    settings.enable_mem_pattern = False
    settings.log_severity_level = 3
    # Spinning threads would take the cores from other stages on a small machine.
    settings.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return settings


def checked(session: Session, device: Device) -> Session:
    """Return the session if it runs on the device it was opened for; raises DeviceUnavailable otherwise."""
    provider = session.get_providers()[0]
    if provider != NAMES[device]:
        raise DeviceUnavailable(
            f"a graph opened for {device} would run on {provider}: its driver or libraries do not load"
        )
    return session


def _open(graph: Path, device: Device, options: RuntimeOptions, feed: GraphFeed | None) -> Session:
    settings, wanted = session_options(options), providers(device, options, feed)
    if device == "cpu":
        return Session(str(graph), settings, providers=wanted, disabled_optimizers=list(SLOW_FUSIONS))
    if device == "tensorrt" and options.engines is not None:
        options.engines.mkdir(parents=True, exist_ok=True)
    try:
        onnxruntime.preload_dlls()  # finds CUDA and cuDNN that were installed as Python packages
        # `enable_fallback`: by itself the runtime would retry on the CPU (decision 0020).
        session = Session(str(graph), settings, providers=wanted, enable_fallback=0)
    except Exception as error:  # the exceptions of the runtime have no common base
        raise DeviceUnavailable(f"the graph {graph.parent.name}/{graph.name} cannot be opened on {device}") from error
    return checked(session, device)


def _cuda(options: RuntimeOptions, feed: GraphFeed | None) -> dict[str, str]:
    chosen = {
        "device_id": str(options.device_id),
        # An exhaustive search is keyed by shape and would run again for every batch that is not full.
        "cudnn_conv_algo_search": "HEURISTIC",
        "arena_extend_strategy": "kSameAsRequested",
        "do_copy_in_default_stream": "1",
        "use_tf32": "0",  # float32 means float32
        "enable_cuda_graph": str(int(captures(options, feed))),
    }
    if options.device_memory is not None:
        chosen["gpu_mem_limit"] = str(options.device_memory)
    return chosen


def _tensorrt(options: RuntimeOptions, feed: GraphFeed | None) -> dict[str, str]:
    chosen = {
        "device_id": str(options.device_id),
        # Only for float16 graphs: the provenance must not claim a higher precision than was used.
        "trt_fp16_enable": str(int(feed is not None and feed.half)),
        "trt_cuda_graph_enable": str(int(captures(options, feed))),
    }
    if options.device_memory is not None:
        chosen["trt_max_workspace_size"] = str(options.device_memory)
    if options.engines is not None:
        chosen |= {
            "trt_engine_cache_enable": "1",
            "trt_engine_cache_path": str(options.engines),
            "trt_timing_cache_enable": "1",
            "trt_timing_cache_path": str(options.engines),
        }
    return chosen | _profile(feed)


def _profile(feed: GraphFeed | None) -> dict[str, str]:
    """One optimisation profile for all full batches, optimal at the middle one."""
    if feed is None or not feed.shapes:
        return {}
    rows, lengths = zip(*feed.shapes, strict=True)
    middle = sorted(feed.shapes, key=lambda shape: shape[1])[len(feed.shapes) // 2]
    bounds = {"min": (1, min(lengths)), "opt": middle, "max": (max(rows), max(lengths))}
    return {f"trt_profile_{bound}_shapes": ",".join(_sizes(feed, shape)) for bound, shape in bounds.items()}


def _sizes(feed: GraphFeed, shape: tuple[int, int]) -> Iterable[str]:
    rows, length = shape
    yield f"{feed.material}:{rows}x{length}"
    yield f"{feed.lengths}:{rows}"
