"""The verb `hilbert-train export-encoder`: a frozen encoder as a folder that a bundle can hold."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from model.encoders.description import EncoderDescription, Precision

if TYPE_CHECKING:
    from model.export.parity import ParityReport
    from model.export.probe_material import ProbeMaterial

EXAMPLES = Path(__file__).parents[2] / "examples"

OutOption = Annotated[Path, typer.Option("--out", file_okay=False, help="Folder to write to.")]
ProbeOption = Annotated[Path | None, typer.Option(exists=True, dir_okay=False, help="Real material to compare on.")]


def add_verbs(app: typer.Typer) -> None:
    """Put the verb into the command line."""
    app.command("export-encoder")(export_encoder)


def export_encoder(  # noqa: PLR0913, PLR0917 - the options of a command
    source: Annotated[str, typer.Argument(help="Hub name or local folder of a Hugging Face checkpoint.")],
    out: OutOption,
    revision: Annotated[str | None, typer.Option(help="Branch, tag or commit on the hub.")] = None,
    dither: Annotated[float, typer.Option(min=0, help="Noise under every waveform, SD at full scale 1.")] = 0.0,
    precision: Annotated[Precision, typer.Option(help="float16 is for GPUs, int8 for CPUs with VNNI.")] = "float32",
    layers: Annotated[
        str | None, typer.Option(help="Layers averaged, as 7,8,9, counted from 1; default: the last third.")
    ] = None,
    probe_audio: ProbeOption = None,
    probe_transcript: ProbeOption = None,
) -> None:
    """Export a frozen encoder (HuBERT, Whisper, RoBERTa, T5 and their kin) to ONNX, held against torch.

    Compared on noise, random tokens and a synthetic voice, and on real material: the example interview, unless
    --probe-audio or --probe-transcript name others.
    """
    from model.errors import ModelError
    from model.export.encoder import ExportOptions
    from model.export.encoder import export_encoder as export
    from model.export.parity import read_report

    console, chosen = Console(soft_wrap=True, highlight=False), _numbers(layers)
    try:
        options = ExportOptions(precision=precision, layers=chosen, material=_material(probe_audio, probe_transcript))
        description = export(source, out, revision=revision, dither=dither, options=options)
    except ModelError as error:
        console.print(f"{error.detail}. {error.advice}", markup=False)
        raise typer.Exit(1) from error
    _print(console, description, read_report(out), out)


def _numbers(layers: str | None) -> tuple[int, ...] | None:
    if layers is None:
        return None
    try:
        return tuple(int(layer) for layer in layers.split(","))
    except ValueError as error:
        raise typer.BadParameter(f"layers are whole numbers by commas, as 7,8,9, and not {layers!r}") from error


def _material(audio: Path | None, transcript: Path | None) -> ProbeMaterial | None:
    from model.export.probe_material import read_material

    if audio is None and transcript is None:
        audio, transcript = EXAMPLES / "interview.flac", EXAMPLES / "interview.vtt"
        if not (audio.exists() and transcript.exists()):
            return None
    return read_material(audio, transcript)


def _print(console: Console, description: EncoderDescription, report: ParityReport, out: Path) -> None:
    table = Table("probe", "segments", "cosine", "largest difference", "relative")
    for probe in report.probes:
        numbers = (f"{probe.cosine:.6f}", f"{probe.absolute:.1e}", f"{probe.relative:.1e}")
        table.add_row(probe.probe, str(probe.segments), *numbers)
    console.print(table)
    if report.of_spread is not None:
        console.print(f"On real material {report.of_spread:.1e} of what tells its segments apart")
    console.print(
        f"{description.architecture}, {description.precision}, {description.dim} features of layers "
        f"{', '.join(str(layer) for layer in description.layers)}, within {description.parity:.1e} of torch: {out}"
    )
