"""Add a robustness table to a released bundle: its card shows it, and the bundle is sealed and signed again."""

from __future__ import annotations

import shutil
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from model.bundle.bundle import Bundle, open_bundle, seal
from model.bundle.manifest import SIGNATURE
from model.bundle.signature import write_signature
from model.export.replacement import replace_folder
from model.pipeline import Pipeline
from training.card.card import render_card, write_card
from training.robustness.files import require_fit, write_table
from training.robustness.table import RobustnessTable


def add_robustness(folder: Path, table: RobustnessTable, key: Ed25519PrivateKey | None, moment: datetime) -> Bundle:
    """Replace the bundle by one whose card shows the table; it is signed only if there is a key.

    Raises RobustnessError for a table of another bundle or with a broken bound, and then changes nothing.
    """
    manifest = open_bundle(folder).manifest
    require_fit(table, manifest)
    with TemporaryDirectory(dir=folder.parent, prefix=".release-") as scratch:
        changed = Path(shutil.copytree(folder, Path(scratch) / "bundle"))
        # It signs the old manifest, and `seal` refuses a bundle whose signature does not match.
        (changed / SIGNATURE).unlink(missing_ok=True)
        write_table(changed, table)
        write_card(changed, render_card(changed, manifest))
        seal(changed, manifest)
        if key is not None:
            write_signature(changed, key, moment)
        with Pipeline.open(changed) as pipeline:
            pipeline.warm_up()
        replace_folder(folder, changed)
    return open_bundle(folder)
