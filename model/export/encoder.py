"""Export of a Hugging Face checkpoint as an encoder folder: graph, description, tokenizer, parity report.

`source` is a hub name or a local folder; `from_pretrained` reads both.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from model.encoders.description import GRAPH, EncoderDescription, Precision, write_description
from model.export.architectures.loaded_encoder import ExportRequest, LoadedEncoder
from model.export.architectures.speech import load_hubert, load_whisper
from model.export.architectures.text import load_roberta, load_t5
from model.export.checkpoint import HubCheckpoint, open_checkpoint
from model.export.graph import write_graph
from model.export.parity import TOLERANCES, ParityReport, measure_parity, refuse_excess, write_report
from model.export.precision.conversion import change_precision, graph_for_parity
from model.export.probe_material import ProbeMaterial
from model.export.replacement import replace_folder


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportOptions:
    """Options of an export."""

    precision: Precision = "float32"
    layers: tuple[int, ...] | None = None  # counted from 1; None: the last third
    material: ProbeMaterial | None = None  # real speech and text for the parity check


def export_encoder(
    source: str,
    target: Path,
    *,
    revision: str | None = None,
    dither: float = 0.0,
    options: ExportOptions | None = None,
) -> EncoderDescription:
    """Write the encoder folder `target` from the checkpoint `source`; a failed export leaves no files.

    `dither` is the standard deviation of the noise that a speech encoder adds to every waveform (decision 0007).

    Raises UnsupportedEncoder for an architecture without an exporter, CheckpointUnreadable for an incomplete
    checkpoint, ParityError if the graph differs from torch by more than the tolerance of its precision.
    """
    checkpoint = open_checkpoint(source, revision, _EXPORTERS)
    options = options or ExportOptions()
    target.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=target.parent, prefix=".export-") as scratch:
        folder = Path(scratch) / "encoder"
        folder.mkdir()
        material = options.material or ProbeMaterial(waveforms=(), texts=())
        exporter = _EXPORTERS[checkpoint.config.model_type]
        loaded = exporter(checkpoint, ExportRequest(folder=folder, layers=options.layers, material=material))
        report = write_encoder(loaded, folder, options.precision)
        description = loaded.description.model_copy(
            update={
                "dither": dither,
                "precision": options.precision,
                "parity": report.absolute,
                # In other precisions the graph has branches, which a CUDA graph cannot record (decision 0023).
                "capturable": options.precision == "float16",
            }
        )
        write_description(folder, description)
        replace_folder(target, folder)
    return description


def write_encoder(loaded: LoadedEncoder, folder: Path, precision: Precision) -> ParityReport:
    """Write graph and parity report; raises ParityError beyond the tolerance of the precision."""
    write_graph(loaded.module, loaded.probes[0].inputs, loaded.signature, folder / GRAPH)
    change_precision(folder / GRAPH, precision, wide=loaded.wide)
    with TemporaryDirectory(dir=folder.parent) as scratch:
        measured = graph_for_parity(folder / GRAPH, precision, Path(scratch))
        report = measure_parity(loaded.module, loaded.probes, loaded.signature, measured, precision)
    refuse_excess(report, TOLERANCES[precision])
    write_report(folder, report)
    return report


_EXPORTERS: dict[str, Callable[[HubCheckpoint, ExportRequest], LoadedEncoder]] = {
    "camembert": load_roberta,
    "hubert": load_hubert,
    "mt5": load_t5,
    "roberta": load_roberta,
    "t5": load_t5,
    "whisper": load_whisper,
    "xlm-roberta": load_roberta,
}
