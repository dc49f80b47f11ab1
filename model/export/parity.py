"""Parity of an exported encoder with torch, by probe, and its tolerances (decision 0022)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float32
from pydantic import Field
from torch import nn

from model.config import FrozenSettings
from model.encoders.description import PARITY, Precision
from model.encoders.runtime import RUNTIME_VERSION, RuntimeOptions, open_session
from model.errors import ParityError
from model.export.graph import GraphSignature
from model.export.probes import Probe

Rows = Float32[np.ndarray, "segment dim"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tolerance:
    """Largest differences of a precision; `absolute` is in units of the largest feature if that exceeds 1."""

    cosine: float
    relative: float
    of_spread: float
    absolute: float = float("inf")


# Decision 0022 gives the measurements behind these bounds.
TOLERANCES: dict[Precision, Tolerance] = {
    "float32": Tolerance(cosine=0.999999, relative=1e-4, of_spread=0.01, absolute=1e-4),
    "float16": Tolerance(cosine=0.999, relative=1e-2, of_spread=0.05),
    "int8": Tolerance(cosine=0.99, relative=0.1, of_spread=0.3),
}


class ProbeParity(FrozenSettings):
    """The largest differences among the segments of a probe."""

    probe: str
    segments: int
    cosine: float = Field(description="smallest cosine between the features of graph and torch")
    absolute: float = Field(description="largest absolute difference of a feature")
    relative: float = Field(description="largest norm of a difference, divided by the norm of torch's features")


class ParityReport(FrozenSettings):
    """Result of the parity check of an export."""

    precision: Precision
    torch: str = Field(description="version of torch")
    runtime: str = Field(description="version of the ONNX Runtime that ran the graph on the CPU")
    probes: tuple[ProbeParity, ...]
    of_spread: float | None = Field(
        description="largest difference on real material, by what tells its segments apart: the root mean square "
        "distance of torch's features from their mean; null without real material"
    )
    largest: float = Field(description="largest feature of torch on any probe")

    @property
    def absolute(self) -> float:
        """The largest absolute difference of a feature on any probe."""
        return max(probe.absolute for probe in self.probes)


def measure_parity(
    module: nn.Module, probes: Sequence[Probe], signature: GraphSignature, graph: Path, precision: Precision
) -> ParityReport:
    """Run the graph and the float32 module on every probe, and compare their features."""
    session = open_session(graph, RuntimeOptions())
    compared: list[ProbeParity] = []
    spoken: list[tuple[Rows, Rows]] = []
    largest = 0.0
    for probe in probes:
        with torch.no_grad():
            reference = module(*probe.inputs).numpy()
        feed = {name: value.numpy() for name, value in zip(signature.inputs, probe.inputs, strict=True)}
        (features,) = session.run(list(signature.outputs), feed)
        compared.append(_compare(probe.name, features, reference))
        largest = max(largest, float(np.abs(reference).max(initial=0.0)))
        if probe.real:
            spoken.append((features, reference))
    return ParityReport(
        precision=precision,
        torch=torch.__version__,
        runtime=RUNTIME_VERSION,
        probes=tuple(compared),
        of_spread=_of_spread(spoken),
        largest=largest,
    )


def refuse_excess(report: ParityReport, tolerance: Tolerance) -> None:
    """Raise ParityError with all differences that exceed the tolerance, NaN included."""
    wrong = []
    for probe in report.probes:
        bound = tolerance.absolute * max(1.0, report.largest)
        # `not` and `<=` instead of `>`, because a NaN is refused by it too.
        if not probe.absolute <= bound:
            wrong.append(f"{probe.probe}: differs from torch by {probe.absolute:.2e}, more than {bound:.0e}")
        if not probe.relative <= tolerance.relative:
            wrong.append(
                f"{probe.probe}: differs from torch by {probe.relative:.2e} of its norm, more than "
                f"{tolerance.relative:.0e}"
            )
        if not probe.cosine >= tolerance.cosine:
            wrong.append(f"{probe.probe}: cosine {probe.cosine:.6f} with torch, less than {tolerance.cosine}")
    if report.of_spread is not None and not report.of_spread <= tolerance.of_spread:
        wrong.append(
            f"differs from torch by {report.of_spread:.2e} of the spread of real segments, more than "
            f"{tolerance.of_spread:.0e}"
        )
    if wrong:
        advice = "Export it in float32, or report the difference." if report.precision != "float32" else None
        raise ParityError(f"{report.precision}: {'; '.join(wrong)}", advice=advice)


def write_report(folder: Path, report: ParityReport) -> None:
    """Write the report into the folder of the graph."""
    (folder / PARITY).write_text(report.model_dump_json(indent=2) + "\n", encoding="utf-8")


def read_report(folder: Path) -> ParityReport:
    """Read the report of an encoder folder."""
    return ParityReport.model_validate_json((folder / PARITY).read_text(encoding="utf-8"))


def _compare(name: str, features: Rows, reference: Rows) -> ProbeParity:
    difference = np.linalg.norm(features - reference, axis=1)
    lengths = np.linalg.norm(reference, axis=1)
    # float32 is too coarse for a cosine whose bound is 0.999999.
    cosines = (features.astype(np.float64) * reference).sum(axis=1) / (np.linalg.norm(features, axis=1) * lengths)
    return ProbeParity(
        probe=name,
        segments=len(reference),
        cosine=float(cosines.min()),
        absolute=float(np.abs(features - reference).max()),
        relative=float((difference / lengths).max()),
    )


def _of_spread(spoken: Sequence[tuple[Rows, Rows]]) -> float | None:
    # A single segment has a spread of 0.
    if sum(len(reference) for _, reference in spoken) <= 1:
        return None
    features, reference = (np.concatenate(rows) for rows in zip(*spoken, strict=True))
    spread = np.sqrt(np.square(reference - reference.mean(axis=0)).sum(axis=1).mean())
    return float(np.linalg.norm(features - reference, axis=1).max() / spread)
