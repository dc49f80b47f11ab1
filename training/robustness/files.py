"""The files of a robustness measurement, beside or inside a bundle."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from model.bundle.manifest import NETWORK, Manifest
from training.errors import RobustnessError
from training.robustness.page import PLOT, draw_changes, render_page
from training.robustness.table import RobustnessTable

TABLE = "robustness.json"
PAGE = "robustness.html"


def write_measurement(folder: Path, table: RobustnessTable) -> None:
    """Write the table as JSON, as a page and as a plot."""
    folder.mkdir(parents=True, exist_ok=True)
    write_table(folder, table)
    (folder / PAGE).write_text(render_page(table), encoding="utf-8")


def write_table(folder: Path, table: RobustnessTable) -> None:
    """Write the table and its plot, which the card of a bundle shows."""
    (folder / TABLE).write_text(table.model_dump_json(indent=2) + "\n", encoding="utf-8")
    (folder / PLOT).write_text(draw_changes(table), encoding="utf-8")


def read_table(folder: Path) -> RobustnessTable | None:
    """The table in a folder; None without one. Raises RobustnessError."""
    file = folder / TABLE
    if not file.exists():
        return None
    try:
        return RobustnessTable.model_validate_json(file.read_bytes())
    except ValidationError as error:
        raise RobustnessError(f"{TABLE} is malformed") from error


def require_fit(table: RobustnessTable, manifest: Manifest) -> None:
    """Refuse a table of another bundle, and one that breaks a bound; raises RobustnessError."""
    encoders = {str(name): fingerprint for name, fingerprint in manifest.encoders.items()}
    if (table.network, table.encoders) != (manifest.files.get(NETWORK), encoders):
        raise RobustnessError("the robustness was measured on another network or on other encoders")
    if problems := table.violations():
        raise RobustnessError("the bundle breaks a bound of its robustness:\n  " + "\n  ".join(problems))
