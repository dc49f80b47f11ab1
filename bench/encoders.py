"""Frozen encoders of real sizes: this project's against torch, transformers' pipeline and plain ONNX Runtime.

    PYTHONPATH=. python bench/encoders.py                          every encoder, about half an hour on two cores
    PYTHONPATH=. python bench/encoders.py roberta-base t5-small    some of them
    PYTHONPATH=. python bench/encoders.py --work FOLDER            keep checkpoints and exports there

All at equal threads and in one run; the contenders take turns, and of each the quickest round counts, for other work on
the machine only ever adds. A load arrives at once; p50 and p95 are the waits of its segments until their features are
there. Weights are random: time does not hang on them. "Of peak" is the share of the quickest single-precision matrix
product measured in the same run that the operations of the unpadded segments attain; padding is not counted as work.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np
from rich.console import Console
from rich.table import Table

from bench.encoding.contenders import CONTENDERS
from bench.encoding.loads import SAMPLE_RATE, lengths_of, texts, waveforms
from bench.encoding.sizes import flops, make_checkpoint
from model.encoders.description import DESCRIPTION
from model.export.encoder import ExportOptions, export_encoder

ENCODERS = ("hubert-base", "whisper-base", "whisper-small", "roberta-base", "t5-small")
LOADS = {"speech": {"mixed": 12, "equal": 8}, "text": {"mixed": 96, "uniform": 64, "spoken": 96, "equal": 64}}
REFERENCE = "torch, per segment"
ROUNDS, THREADS = 3, 2


@dataclass(slots=True)
class Contender:
    """A process that encodes the load when told to."""

    name: str
    process: subprocess.Popen[str]
    complaints: IO[str]
    answers: list[dict[str, Any]] = field(default_factory=list)

    def run(self) -> None:
        """One round."""
        self.process.stdin.write("run\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            self.complaints.seek(0)
            raise SystemExit(f"{self.name} ended by itself:\n{self.complaints.read()[-2000:]}")
        self.answers.append(json.loads(line))

    @property
    def best(self) -> dict[str, Any]:
        """The quickest round."""
        return min(self.answers, key=lambda answer: max(answer["moments"]))

    @property
    def seconds(self) -> float:
        """Of the quickest round, from arrival to the last feature."""
        return max(self.best["moments"])


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("encoders", nargs="*", default=ENCODERS)
    parser.add_argument("--work", type=Path, help="folder for checkpoints and exports; default: a temporary one")
    parser.add_argument("--loads", help="some of mixed, equal, uniform, spoken, by commas")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    arguments = parser.parse_args()
    console = Console(width=150)
    with tempfile.TemporaryDirectory() as temporary:
        work = arguments.work or Path(temporary)
        for name in arguments.encoders:
            checkpoint = make_checkpoint(name, work / "checkpoints" / name)
            exported = export(checkpoint, work / "exports" / name)
            modality = "speech" if name.startswith(("hubert", "whisper")) else "text"
            for load, count in LOADS[modality].items():
                if arguments.loads is None or load in arguments.loads.split(","):
                    console.print(measure(name, checkpoint, exported, load, count, arguments.rounds))


def export(checkpoint: Path, folder: Path) -> Path:
    """The encoder's folder, and one beside it in int8."""
    for precision, target in (("float32", folder), ("int8", folder.with_name(f"{folder.name}-int8"))):
        if not (target / DESCRIPTION).exists():
            export_encoder(str(checkpoint), target, options=ExportOptions(precision=precision))
    return folder


def measure(name: str, checkpoint: Path, exported: Path, load: str, count: int, rounds: int) -> Table:
    """Encode one load with every contender, in turns."""
    with ExitStack() as stack:
        contenders = [start(name, checkpoint, exported, load, count, stack) for name in CONTENDERS]
        peak = 0.0
        for _ in range(rounds):
            for contender in contenders:
                contender.run()
                peak = max(peak, matrix_peak(seconds=0.3))
    speech = name.startswith(("hubert", "whisper"))
    lengths = lengths_of(waveforms(load, count) if speech else texts(load, count))
    total = sum(sum(flops(checkpoint, length)) for length in lengths)
    unit, amount = ("audio s", sum(lengths) / SAMPLE_RATE) if speech else ("tokens", sum(lengths))
    reference = next(each for each in contenders if each.name == REFERENCE).seconds
    table = Table(
        *("contender", f"{unit} / s", "against torch", "p50", "p95", "peak memory", "padded / used", "of peak"),
        title=f"{name}, {load} lengths: {count} segments, {amount:.0f} {unit}, {THREADS} threads, "
        f"sgemm peak {peak / 1e9:.0f} GFLOP/s",
    )
    for each in contenders:
        moments = each.best["moments"]
        padding = each.best.get("padding")
        table.add_row(
            each.name,
            f"{amount / each.seconds:.1f}",
            f"{reference / each.seconds:.2f}",
            f"{np.percentile(moments, 50):.2f} s",
            f"{np.percentile(moments, 95):.2f} s",
            f"{each.best['megabytes']:.0f} MB",
            "" if padding is None else f"{padding:.2f}",
            f"{total / each.seconds / peak:.0%}",
        )
    return table


def start(name: str, checkpoint: Path, exported: Path, load: str, count: int, stack: ExitStack) -> Contender:
    """The process of one contender; it ends with the stack."""
    command = [sys.executable, "-m", "bench.encoding.contenders", name, str(checkpoint), str(exported), load]
    complaints = stack.enter_context(tempfile.TemporaryFile("w+"))  # noqa: SIM115 - the stack closes it
    process = subprocess.Popen(
        [*command, str(count), str(THREADS)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=complaints,
        text=True,
    )
    stack.callback(process.wait)
    stack.callback(process.stdin.close)
    return Contender(name=name, process=process, complaints=complaints)


def matrix_peak(*, seconds: float, size: int = 1024) -> float:
    """The quickest product of two float32 matrices, in operations a second."""
    random = np.random.default_rng(0)
    left, right = random.standard_normal((2, size, size), dtype=np.float32)
    best, until = np.inf, time.perf_counter() + seconds
    while time.perf_counter() < until:
        started = time.perf_counter()
        left @ right
        best = min(best, time.perf_counter() - started)
    return 2.0 * size**3 / best


if __name__ == "__main__":
    main()
