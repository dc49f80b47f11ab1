"""Interface of the exporters of architectures: their request, and the module, description and probes they return."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from torch import nn

from model.encoders.description import EncoderDescription
from model.errors import UnsupportedEncoder
from model.export.graph import GraphSignature
from model.export.probe_material import ProbeMaterial
from model.export.probes import Probe


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportRequest:
    """Input of the exporter of an architecture: target folder and options."""

    folder: Path
    layers: tuple[int, ...] | None = None  # counted from 1; None: the last third
    material: ProbeMaterial = field(default_factory=lambda: ProbeMaterial(waveforms=(), texts=()))

    def layers_of(self, count: int) -> tuple[int, ...] | None:
        """The requested layers, in order; raises UnsupportedEncoder for a layer beyond `count`."""
        if self.layers is None:
            return None
        chosen = tuple(sorted(set(self.layers)))
        if not chosen or chosen[0] < 1 or chosen[-1] > count:
            named = ", ".join(str(layer) for layer in chosen) or "none"
            raise UnsupportedEncoder(
                f"layers {named} of a network of {count}", advice=f"Its layers are numbered from 1 to {count}."
            )
        return chosen


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedEncoder:
    """An encoder ready for export; its description still lacks parity and precision."""

    module: nn.Module
    description: EncoderDescription
    probes: list[Probe]
    signature: GraphSignature
    wide: bool = False  # not trained in float16: some activations exceed its range
