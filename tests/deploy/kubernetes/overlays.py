"""Overlays and what builds them."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

KUBERNETES = Path(__file__).resolve().parents[3] / "deploy" / "kubernetes"
OVERLAYS = ("small", "production", "gpu")


def renderer() -> tuple[str, ...]:
    """What builds an overlay here; without it the tests of whole overlays are skipped."""
    if (kubectl := shutil.which("kubectl")) is not None:
        return (kubectl, "kustomize")
    if (kustomize := shutil.which("kustomize")) is not None:
        return (kustomize, "build")
    pytest.skip("neither kubectl nor kustomize is installed, so overlays cannot be rendered; their files were read")


def build(command: tuple[str, ...], overlay: Path) -> list[dict[str, Any]]:
    """Every resource of an overlay."""
    done = subprocess.run(
        (*command, overlay), capture_output=True, text=True, check=False, env={"PATH": os.environ["PATH"]}
    )
    assert done.returncode == 0, done.stderr
    return list(yaml.load_all(done.stdout, Loader=yaml.CSafeLoader))
