"""ONNX Runtime sessions, set up alike for encoders and network."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

# Official builds report usage to their maker from the first import on, unless told beforehand (decision 0006).
os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # noqa: TID251 - written for the library, not read as a setting

import onnxruntime

RUNTIME_VERSION: str = onnxruntime.__version__
CPU = "CPUExecutionProvider"


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeOptions:
    """Where and with how many threads graphs run."""

    threads: int = 2
    providers: tuple[str, ...] = (CPU,)
    linger: float = 0.0  # seconds that an encoder's batch with room to spare is held back for others to join


def open_session(graph: Path, options: RuntimeOptions) -> onnxruntime.InferenceSession:
    """Open a graph.

    Left alone, every session takes all cores and its arena keeps the largest block of each new
    shape; so threads are given, graphs run one operator at a time, and the arena stays off.
    """
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = options.threads
    settings.inter_op_num_threads = 1
    settings.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    settings.enable_cpu_mem_arena = False
    settings.enable_mem_pattern = False
    settings.log_severity_level = 3
    # Idle threads that spin take the cores from the other stages of a small machine.
    settings.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(str(graph), settings, providers=list(options.providers))
