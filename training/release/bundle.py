"""Release a bundle: network, calibration, encoders, golden recording, model card, digests and signature."""

from __future__ import annotations

import json
import shutil
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import JsonValue

from model.bundle.bundle import Bundle, open_bundle, seal
from model.bundle.golden import Golden, write_golden
from model.bundle.manifest import (
    ABOUT,
    CALIBRATION,
    CARD_SOURCE,
    EVALUATION,
    NETWORK,
    SPEECH,
    TEXT,
    Calibration,
    Manifest,
)
from model.bundle.signature import write_signature
from model.encoders.description import read_description
from model.encoders.runtime import RuntimeOptions
from model.errors import SelfTestFailed
from model.export.network import export_network
from model.export.replacement import replace_folder
from model.features import SegmentChunk
from model.network.hilbert import Hilbert
from model.pipeline import Pipeline
from model.self_test import compute_output, open_graphs
from training.card.card import render_card, write_card
from training.errors import BundlePartsError


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseParts:
    """The parts of a bundle."""

    network: Hilbert | Path  # a trained network, or an exported graph
    calibration: Calibration
    encoders: Path  # a folder with the exported `speech` and `text` encoders
    manifest: Manifest
    golden: SegmentChunk
    card: Path  # card.yaml
    evaluation: Path | None = None  # metrics.json; without one the card says "not evaluated"
    about: dict[str, JsonValue] | None = None
    key: Ed25519PrivateKey | None = None
    threads: int = 2


def release(parts: ReleaseParts, target: Path) -> Bundle:
    """Write the bundle `target`, run the self-test of the service on it, and open it.

    An existing bundle is replaced at the end. Raises BundlePartsError, CardError, ParityError or SelfTestFailed, and
    then writes nothing.
    """
    # Cheap checks come before the slow export.
    _refuse_misfits(parts)
    target.parent.mkdir(parents=True, exist_ok=True)
    # Beside the target, because a rename does not cross file systems.
    with TemporaryDirectory(dir=target.parent, prefix=".release-") as scratch:
        folder = Path(scratch) / "bundle"
        _write_documents(parts, folder)
        _write_network(parts, folder / NETWORK)
        _write_golden(parts, folder)
        seal(folder, parts.manifest)
        if parts.key is not None:
            write_signature(folder, parts.key, datetime.now(UTC))
        with Pipeline.open(folder, threads=parts.threads) as pipeline:
            pipeline.warm_up()
        replace_folder(target, folder)
    return open_bundle(target)


def _refuse_misfits(parts: ReleaseParts) -> None:
    dims = (len(parts.calibration.audio_mean), len(parts.calibration.text_mean))
    if dims != tuple(read_description(parts.encoders / name).dim for name in (SPEECH, TEXT)):
        raise BundlePartsError("the network was trained on features of another dimension than these encoders give")
    if {task.name for task in parts.manifest.tasks} != parts.calibration.tasks.keys():
        raise BundlePartsError("the calibration and the manifest have different tasks")


def _write_documents(parts: ReleaseParts, folder: Path) -> None:
    """Write all files but the network, so that a wrong card is refused before the slow export."""
    for name in (SPEECH, TEXT):
        shutil.copytree(parts.encoders / name, folder / name)
    (folder / CALIBRATION).write_text(parts.calibration.model_dump_json(indent=2) + "\n", encoding="utf-8")
    shutil.copyfile(parts.card, folder / CARD_SOURCE)
    if parts.evaluation is not None:
        shutil.copyfile(parts.evaluation, folder / EVALUATION)
    if parts.about is not None:
        (folder / ABOUT).write_text(json.dumps(parts.about, indent=2) + "\n", encoding="utf-8")
    write_card(folder, render_card(folder, parts.manifest))


def _write_network(parts: ReleaseParts, file: Path) -> None:
    if isinstance(parts.network, Path):
        shutil.copyfile(parts.network, file)
    else:
        export_network(parts.network, tasks=[task.name for task in parts.manifest.tasks], file=file)


def _write_golden(parts: ReleaseParts, folder: Path) -> None:
    """Record the answers of the bundle to the golden recording, before the manifest exists."""
    # The digest exists after sealing only, and the seal covers the golden answers.
    draft = Bundle(folder=folder, digest="", manifest=parts.manifest, calibration=parts.calibration)
    with closing(open_graphs(draft, RuntimeOptions(threads=parts.threads))) as graphs:
        expected = compute_output(graphs, parts.golden)
    answers = [answer.model_dump() for answer in expected.answers.values()]
    if not all(np.isfinite([*answer["both"], *answer["audio"], *answer["text"]]).all() for answer in answers):
        raise SelfTestFailed(
            "the answer of the network to the golden recording is not a number",
            advice="Check the training run: weights or calibration are not finite.",
        )
    write_golden(folder, Golden(material=parts.golden, expected=expected))
