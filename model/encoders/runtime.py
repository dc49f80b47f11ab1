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
# Fused, a sum and its layer norm take 48 ms in HuBERT-base's layers on CPU; apart 13.
SLOW_FUSIONS = ("SkipLayerNormFusion",)


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeOptions:
    """Where and with how many threads graphs run."""

    threads: int = 2
    providers: tuple[str, ...] = (CPU,)
    linger: float = 0.0  # seconds that an encoder's batch with room to spare is held back for others to join


def open_session(graph: Path, options: RuntimeOptions) -> onnxruntime.InferenceSession:
    """Open a graph.

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
    return onnxruntime.InferenceSession(
        str(graph), settings, providers=list(options.providers), disabled_optimizers=list(SLOW_FUSIONS)
    )
