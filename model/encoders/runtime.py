"""ONNX Runtime sessions, set up alike for encoders and network: the one place that opens them.

Whoever names a device gets that device or a refusal; only `auto` may fall back (decision 0020). Which provider it is
and with which options are pure functions, so that no GPU is needed to check them.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

# Official builds report usage to their maker from the first import on, unless told beforehand (decision 0006).
os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # noqa: TID251 - written for the library, not read as a setting

import onnxruntime

from model.errors import DeviceUnavailable

RUNTIME_VERSION: str = onnxruntime.__version__
CUDA_VERSION: str = getattr(onnxruntime, "cuda_version", "") or ""  # the runtime was built for; empty without CUDA

# This module alone imports the runtime (decision 0006); what others use of it they get here.
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
# Fused, a sum and its layer norm take 48 ms in HuBERT-base's layers on CPU; apart 13.
SLOW_FUSIONS = ("SkipLayerNormFusion",)


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeOptions:
    """Where and with how many threads graphs run."""

    threads: int = 2
    linger: float = 0.0  # seconds that an encoder's batch with room to spare is held back for others to join
    device: Device = "cpu"
    device_id: int = 0  # which GPU, as the driver counts them
    device_memory: int | None = None  # bytes one graph's arena may take of the GPU; None: what there is
    engines: Path | None = None  # folder in which TensorRT keeps what it has built
    cuda_graphs: bool = False  # record and replay full batches of the graphs that allow it


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphFeed:
    """What a graph will be fed: the names of its inputs, and (rows, length) of the full batch of each bucket."""

    material: str  # (rows, length)
    lengths: str  # (rows,)
    shapes: tuple[tuple[int, int], ...]
    half: bool = False  # its own weights are float16
    capturable: bool = False  # no control flow, nothing that has to run on the CPU


def candidates(device: Device, available: Collection[str]) -> tuple[Device, ...]:
    """The devices to try, best first; raises DeviceUnavailable when the named one is not in this installation.

    `auto` never takes TensorRT, which builds engines for minutes and computes them its own way: name it to have it.
    """
    if device == "auto":
        return ("cuda", "cpu") if CUDA in available else ("cpu",)
    if NAMES[device] not in available:
        raise DeviceUnavailable(f"ONNX Runtime as installed here cannot compute on {device}")
    return (device,)


def providers(device: Device, options: RuntimeOptions, feed: GraphFeed | None = None) -> list[Provider]:
    """ONNX Runtime's provider list with options for a device that was decided on; the CPU is always the last one."""
    chosen: list[Provider] = []
    if device == "tensorrt":
        chosen.append((TENSORRT, _tensorrt(options, feed)))
    if device in {"cuda", "tensorrt"}:
        chosen.append((CUDA, _cuda(options, feed)))
    return [*chosen, (CPU, {})]


def captures(options: RuntimeOptions, feed: GraphFeed | None) -> bool:
    """Whether full batches are to be recorded as CUDA graphs."""
    return options.cuda_graphs and feed is not None and feed.capturable


def refuse_missing(options: RuntimeOptions) -> None:
    """Raise DeviceUnavailable when this installation lacks the wanted device; that it works, opening a graph shows."""
    candidates(options.device, onnxruntime.get_available_providers())


def open_session(graph: Path, options: RuntimeOptions, feed: GraphFeed | None = None) -> Session:
    """Open a graph on the wanted device; raises DeviceUnavailable where it cannot run there.

    ONNX Runtime itself goes on with the CPU when a GPU fails it, and says so in its log alone; here only `auto` does.
    """
    devices = candidates(options.device, onnxruntime.get_available_providers())
    for device in devices[:-1]:
        try:
            return _open(graph, device, options, feed)
        except DeviceUnavailable:
            continue
    return _open(graph, devices[-1], options, feed)


def session_options(options: RuntimeOptions) -> onnxruntime.SessionOptions:
    """What all sessions have in common.

    Left alone, every session takes all cores and idle threads spin on them: so threads are given, graphs run one
    operator at a time, and nobody spins. The arena stays on: without it the system hands out, and clears, every
    large result anew (1.8 against 2.4 s for 20 s of speech in HuBERT-base), and its size is bounded by that of the
    largest batch; patterns of memory by shape are off, for lengths differ without end (decision 0023).
    """
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = options.threads
    settings.inter_op_num_threads = 1
    settings.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    settings.enable_cpu_mem_arena = True
    settings.enable_mem_pattern = False
    settings.log_severity_level = 3
    # Idle threads that spin take the cores from the other stages of a small machine.
    settings.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return settings


def checked(session: Session, device: Device) -> Session:
    """The session, if it runs on the device it was opened for; raises DeviceUnavailable otherwise."""
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
        onnxruntime.preload_dlls()  # finds CUDA and cuDNN where they were installed as packages
        session = Session(str(graph), settings, providers=wanted, enable_fallback=0)
    except Exception as error:  # the runtime's own exceptions have no common base
        raise DeviceUnavailable(f"the graph {graph.parent.name}/{graph.name} cannot be opened on {device}") from error
    return checked(session, device)


def _cuda(options: RuntimeOptions, feed: GraphFeed | None) -> dict[str, str]:
    chosen = {
        "device_id": str(options.device_id),
        # An exhaustive search would be paid again for every batch that is not full: its key is the whole shape.
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
        # Only where the graph itself is float16: the trace must not claim more precision than there was.
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
    """One optimisation profile over all full batches, best at the middle one."""
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
