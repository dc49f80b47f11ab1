"""The overlays as an operator would apply them, with secrets that are none."""

import shutil
import subprocess
from typing import Any

import pytest

from tests.deploy.kubernetes.overlays import KUBERNETES, OVERLAYS, build, renderer

GIVEN = ("hilbert_s3_key_id", "hilbert_s3_secret_key", "autoscaler_connection")


@pytest.fixture(scope="session")
def rendered(tmp_path_factory) -> dict[str, list[dict[str, Any]]]:
    """Every resource of each overlay."""
    command = renderer()
    folder = shutil.copytree(KUBERNETES, tmp_path_factory.mktemp("kubernetes") / "kubernetes")
    subprocess.run((folder / "make-secrets",), check=True, capture_output=True)
    small, production = folder / "overlays" / "small", folder / "overlays" / "production"
    shutil.copytree(small / "secrets", production / "secrets", dirs_exist_ok=True)
    for name in GIVEN:
        (production / "secrets" / name).write_text("given by the operator")
    (production / "keys").mkdir(exist_ok=True)
    (production / "keys" / "release.key.pub").write_text("given by the operator")
    return {name: build(command, folder / "overlays" / name) for name in OVERLAYS}


@pytest.fixture(params=OVERLAYS)
def overlay(request, rendered) -> list[dict[str, Any]]:
    """Each overlay in turn."""
    return rendered[request.param]
