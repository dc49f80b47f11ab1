"""The saved state of a run: written atomically, restored bit for bit."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import JsonValue
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

_META = "run"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingState:
    """Tensors by name, and all other values as JSON."""

    tensors: Mapping[str, Tensor]
    meta: Mapping[str, JsonValue]


def write_state(file: Path, state: TrainingState) -> None:
    """Write to a temporary file and rename it, so that a kill at any moment leaves the old state or the new one."""
    file.parent.mkdir(parents=True, exist_ok=True)
    # A name for each process: two runs in one folder do not write into the same temporary file.
    partial = file.with_suffix(f".{os.getpid()}.partial")
    save_file(
        # safetensors refuses tensors that are not contiguous.
        {name: tensor.detach().contiguous().cpu() for name, tensor in state.tensors.items()},
        partial,
        # Metadata of safetensors are strings.
        metadata={_META: json.dumps(state.meta)},
    )
    # Without it the rename may reach the disk before the content, and a power cut leaves an empty file.
    with partial.open("rb") as written:
        os.fsync(written.fileno())
    partial.replace(file)


def read_state(file: Path) -> TrainingState | None:
    """Read the last state; None when there is none."""
    if not file.exists():
        return None
    with safe_open(file, framework="pt") as kept:
        return TrainingState(
            tensors={name: kept.get_tensor(name) for name in kept.keys()},  # noqa: SIM118 - not a mapping
            meta=json.loads((kept.metadata() or {})[_META]),
        )
