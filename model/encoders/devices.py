"""The name of the processor that a graph runs on, for the provenance of a result."""

from __future__ import annotations

import ctypes
import platform
from functools import cache
from pathlib import Path

from model.encoders.runtime import CPU

_DRIVER = "libcuda.so.1"
_NAME_BYTES = 256


@cache
def device_name(provider: str, device_id: int) -> str:
    """The processor, such as "AMD EPYC 9B14" or "cuda:0 NVIDIA H100"; less specific where the model is unknown."""
    return _processor() if provider == CPU else f"cuda:{device_id} {_card(device_id)}".rstrip()


def _processor() -> str:
    information = Path("/proc/cpuinfo")
    if information.exists():
        for line in information.read_text(encoding="utf-8", errors="replace").splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return value.strip()
    return platform.processor() or platform.machine()


def _card(device_id: int) -> str:
    """The model of a GPU. The driver numbers GPUs like the runtime, including CUDA_VISIBLE_DEVICES."""
    try:
        driver = ctypes.CDLL(_DRIVER)
    except OSError:
        return ""
    device, name = ctypes.c_int(), ctypes.create_string_buffer(_NAME_BYTES)
    succeeded = (
        driver.cuInit(0) == 0
        and driver.cuDeviceGet(ctypes.byref(device), device_id) == 0
        and driver.cuDeviceGetName(name, _NAME_BYTES, device) == 0
    )
    return name.value.decode(errors="replace") if succeeded else ""
