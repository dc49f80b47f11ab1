"""Verify a bundle on this machine, and print its description."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from model.bundle.bundle import Bundle, open_bundle
from model.bundle.signature import Trust
from model.encoders.description import read_description
from model.errors import BundleError, DeviceUnavailable
from model.pipeline import Pipeline
from model.self_test import CONTRIBUTION_TOLERANCE, FEATURE_TOLERANCE, PROBABILITY_TOLERANCE, Deviation
from service.settings import Settings
from service.worker.model_adapter import runtime_of, trust_of

MEGABYTE = 1_000_000


def verify_bundle(folder: Path, settings: Settings, console: Console) -> bool:
    """Check signature, digests and golden recording as a worker does, and print a report; False if refused."""
    table = _table()
    try:
        _check(folder, trust_of(settings), settings, table)
    except (BundleError, DeviceUnavailable) as error:
        table.add_row(Text(f"refused ({error.code})", "red"), f"{error.detail}. {error.advice}")
        console.print(table)
        return False
    table.add_row(Text("it can be used here", "green"), "")
    console.print(table)
    return True


def show_bundle(folder: Path, settings: Settings, console: Console) -> None:
    """Print the manifest of a bundle. Raises BundleError when its files or its signature are not valid."""
    bundle = open_bundle(folder, Trust(keys=trust_of(settings).keys))
    table = _table()
    for name, value in _description_rows(bundle):
        table.add_row(name, value)
    console.print(table)


def _table() -> Table:
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    return table


def _check(folder: Path, trust: Trust, settings: Settings, table: Table) -> None:
    bundle = open_bundle(folder, trust)
    table.add_row("bundle", f"{bundle.manifest.name} {bundle.manifest.version}, sha256 {bundle.digest}")
    table.add_row("signature", _signature_text(bundle))
    table.add_row("files", f"{len(bundle.manifest.files)}, each with the digest in the manifest, and no other")
    with Pipeline(bundle, runtime_of(settings)) as pipeline:
        deviation = pipeline.warm_up()
        for name, graph in pipeline.provenance.graphs.items():
            table.add_row(f"graph {name}", f"{graph.provider} on {graph.device}, {graph.precision}")
    for name, difference, tolerance in _differences(deviation):
        table.add_row(f"golden {name}", f"differ by {difference:.1e} of {tolerance:g} allowed")


def _differences(deviation: Deviation) -> Iterator[tuple[str, float, float]]:
    yield "speech features", deviation.speech, FEATURE_TOLERANCE
    yield "text features", deviation.text, FEATURE_TOLERANCE
    yield "probabilities", deviation.probabilities, PROBABILITY_TOLERANCE
    yield "contributions", deviation.contributions, CONTRIBUTION_TOLERANCE


def _description_rows(bundle: Bundle) -> Iterator[tuple[str, str]]:
    manifest = bundle.manifest
    yield "bundle", f"{manifest.name} {manifest.version}"
    yield "released", "not said" if manifest.released is None else manifest.released.isoformat()
    yield "digest", f"sha256 {bundle.digest}"
    yield "signature", _signature_text(bundle)
    if manifest.demonstration:
        yield "demonstration", "trained on synthetic speech only; its numbers say nothing about any person"
    for task in manifest.tasks:
        yield f"task {task.name}", ", ".join(task.outcomes)
    for folder in (bundle.speech, bundle.text):
        encoder = read_description(folder)
        yield f"{encoder.modality} encoder", f"{encoder.source} ({encoder.architecture}, {encoder.dim} features)"
    for path in sorted(manifest.files):
        yield path, f"{(bundle.folder / path).stat().st_size / MEGABYTE:.3f} MB"


def _signature_text(bundle: Bundle) -> str:
    if bundle.signature is None:
        return "none"
    trusted = "trusted" if bundle.signed_by else "not among the trusted keys"
    return f"by the key {bundle.signature.key} ({trusted}), {bundle.signature.signed_at}"
