"""What an architecture's exporter hands over: the module to trace, its description, and what to try it on."""

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
    """What the exporter of an architecture has to know of the export: where files go, and what was asked for."""

    folder: Path
    layers: tuple[int, ...] | None = None  # counted from 1; the last third where none are named
    material: ProbeMaterial = field(default_factory=lambda: ProbeMaterial(waveforms=(), texts=()))

    def layers_of(self, count: int) -> tuple[int, ...] | None:
        """The layers asked for, in order. Raises UnsupportedEncoder for one that a network of `count` does not have."""
        if self.layers is None:
            return None
        chosen = tuple(sorted(set(self.layers)))
        if not chosen or chosen[0] < 1 or chosen[-1] > count:
            named = ", ".join(str(layer) for layer in chosen) or "none"
            raise UnsupportedEncoder(
                f"layers {named} of a network of {count}", advice=f"Its layers are counted from 1 to {count}."
            )
        return chosen


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedEncoder:
    """An encoder that can be written as a graph; parity and precision are still missing from its description."""

    module: nn.Module
    description: EncoderDescription
    probes: list[Probe]
    signature: GraphSignature
    wide: bool = False  # not trained in half precision: some of it does not fit there
