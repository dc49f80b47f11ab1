"""From a checkpoint, its calibration and its encoders to a sealed bundle."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from model.bundle.bundle import Bundle, open_bundle, seal
from model.bundle.manifest import CALIBRATION, NETWORK, SPEECH, TEXT, Calibration, Manifest
from model.export.network import export_network
from model.network.hilbert import Hilbert


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """What goes into a bundle."""

    network: Hilbert
    calibration: Calibration
    encoders: Path  # a folder with the exported `speech` and `text` encoders
    manifest: Manifest


def release(parts: Release, target: Path) -> Bundle:
    """Write and open the bundle `target`; it replaces an older one only when complete."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=target.parent, prefix=".release-") as scratch:
        folder = Path(scratch) / "bundle"
        for name in (SPEECH, TEXT):
            shutil.copytree(parts.encoders / name, folder / name)
        export_network(parts.network, tasks=[task.name for task in parts.manifest.tasks], file=folder / NETWORK)
        (folder / CALIBRATION).write_text(parts.calibration.model_dump_json(indent=2) + "\n", encoding="utf-8")
        seal(folder, parts.manifest)
        if target.exists():
            shutil.rmtree(target)
        folder.rename(target)
    return open_bundle(target)
