"""Frozen encoders on a GPU: throughput, share of the card's matrix peak, real-time factor, agreement with the CPU.

    PYTHONPATH=. python bench/encoders_gpu.py                       large and base sizes, float32 and float16
    PYTHONPATH=. python bench/encoders_gpu.py --device cpu t5-small a rehearsal where no GPU is at hand

Needs the extra `worker-gpu`; the peak is that of torch's own product of two matrices on the same device, and needs a
torch built for it. Segments of 30 s and texts of 512 tokens fill every batch; what is timed goes the way of a worker:
many threads, the batcher, bindings. "Of peak" counts the operations of the unpadded segments against the peak in the
graph's own precision. The last table holds the example bundle's answers on the device against those on the CPU.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from bench.encoding.loads import SAMPLE_RATE, SEED, WORDS, lengths_of
from bench.encoding.sizes import flops, make_checkpoint
from model.bundle.bundle import open_bundle
from model.bundle.golden import read_golden
from model.encoders.description import DESCRIPTION
from model.encoders.devices import device_name
from model.encoders.runtime import RuntimeOptions
from model.encoders.speech import SpeechEncoder
from model.encoders.text import TextEncoder
from model.export.encoder import ExportOptions, export_encoder
from model.self_test import compute_output, measure_deviation, open_graphs

ENCODERS = ("hubert-base", "hubert-large", "whisper-small", "whisper-medium", "roberta-base", "t5-small")
PRECISIONS = ("float32", "float16")
ROUNDS, SUBMITTERS = 3, 256
BUNDLE = Path("examples/bundle")


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("encoders", nargs="*", default=ENCODERS)
    parser.add_argument("--device", choices=("cuda", "tensorrt", "cpu"), default="cuda")
    parser.add_argument("--segments", type=int, help="segments or texts; default: two full batches and more")
    parser.add_argument("--cuda-graphs", action="store_true")
    parser.add_argument("--work", type=Path, help="folder for checkpoints and exports; default: a temporary one")
    chosen = parser.parse_args()
    options = RuntimeOptions(device=chosen.device, cuda_graphs=chosen.cuda_graphs)
    console = Console(width=150)
    with tempfile.TemporaryDirectory() as temporary:
        work = chosen.work or Path(temporary)
        console.print(throughput(chosen.encoders, work, options, chosen.segments))
    console.print(agreement(options))


def throughput(encoders: list[str], work: Path, options: RuntimeOptions, segments: int | None) -> Table:
    """One row an encoder and precision."""
    peaks = {precision: matrix_peak(options.device, precision) for precision in PRECISIONS}
    said = ", ".join(f"{name} {peak / 1e12:.1f} TFLOP/s" for name, peak in peaks.items())
    table = Table("encoder", "precision", "on", "segments / s", "times real time", "TFLOP/s", "of peak", "from float32")
    for name in encoders:
        checkpoint = make_checkpoint(name, work / "checkpoints" / name)
        speech = name.startswith(("hubert", "whisper"))
        material = speech_load(segments or 64) if speech else text_load(segments or 256)
        work_done = sum(sum(flops(checkpoint, length)) for length in lengths_of(material))
        reference: np.ndarray | None = None
        for precision in PRECISIONS:
            encoder = open_encoder(export(checkpoint, work, precision), options, speech=speech)
            features, seconds = quickest(encoder, material)
            reference = features if reference is None else reference
            real_time = f"{sum(map(len, material)) / SAMPLE_RATE / seconds:.0f}" if speech else ""
            table.title = f"{device_name(encoder.provider, options.device_id)}; matrix peak {said}"
            table.add_row(
                *(name, precision, encoder.provider, f"{len(material) / seconds:.1f}", real_time),
                *(f"{work_done / seconds / 1e12:.2f}", f"{work_done / seconds / peaks[precision]:.0%}"),
                f"{relative_distance(reference, features):.1e}",
            )
            encoder.close()
    return table


def agreement(options: RuntimeOptions) -> Table:
    """The golden recording of the example bundle on the device, against the CPU; the same top outcome is asked for."""
    bundle = open_bundle(BUNDLE)
    material = read_golden(bundle.folder).material
    observations = []
    for each in (RuntimeOptions(), options):
        graphs = open_graphs(bundle, each)
        observations.append(compute_output(graphs, material))
        graphs.close()
    expected, here = observations
    apart = measure_deviation(expected, here)
    same = all(
        int(np.argmax(answer.both)) == int(np.argmax(here.answers[task].both))
        for task, answer in expected.answers.items()
    )
    table = Table("speech features", "text features", "probabilities", "contributions", "same top outcome")
    figures = (apart.speech, apart.text, apart.probabilities, apart.contributions)
    table.add_row(*(f"{figure:.1e}" for figure in figures), "yes" if same else "NO")
    table.title = f"{options.device} against cpu, example bundle"
    return table


def export(checkpoint: Path, work: Path, precision: Any) -> Path:
    """The encoder's folder in that precision; one that is there already is taken."""
    target = work / "exports" / f"{checkpoint.name}-{precision}"
    if not (target / DESCRIPTION).exists():
        export_encoder(str(checkpoint), target, options=ExportOptions(precision=precision))
    return target


def open_encoder(folder: Path, options: RuntimeOptions, *, speech: bool) -> SpeechEncoder | TextEncoder:
    """Opened and warm."""
    encoder = SpeechEncoder(folder, options) if speech else TextEncoder(folder, options)
    encoder.warm_up()
    return encoder


def quickest(encoder: Any, material: list[Any]) -> tuple[np.ndarray, float]:
    """Features of the material, and the seconds of the quickest of some rounds."""
    best = np.inf
    with ThreadPoolExecutor(SUBMITTERS) as submitters:
        for _ in range(ROUNDS):
            started = time.perf_counter()
            features = np.concatenate(list(submitters.map(lambda item: encoder.encode([item]), material)))
            best = min(best, time.perf_counter() - started)
    return features, best


def speech_load(count: int) -> list[np.ndarray]:
    """Noise of 30 s."""
    random = np.random.default_rng(SEED)
    return [random.standard_normal(30 * SAMPLE_RATE, dtype=np.float32) * 0.1 for _ in range(count)]


def text_load(count: int) -> list[str]:
    """Texts of 500 words, a token each."""
    random = np.random.default_rng(SEED)
    return [" ".join(random.choice(WORDS, 500)) for _ in range(count)]


def relative_distance(expected: np.ndarray, actual: np.ndarray) -> float:
    """The largest distance of a segment's features, by the length of the expected ones."""
    return float(np.max(np.linalg.norm(actual - expected, axis=1) / np.linalg.norm(expected, axis=1)))


def matrix_peak(device: str, precision: str) -> float:
    """Operations a second of the quickest product of two square matrices on the device; without TF32."""
    import torch

    backend = "cpu" if device == "cpu" else "cuda"
    if backend == "cuda" and not torch.cuda.is_available():
        raise SystemExit("torch sees no GPU here; `--device cpu` rehearses the benchmark without one")
    torch.backends.cuda.matmul.allow_tf32 = False
    size = 1024 if backend == "cpu" else 8192
    left, right = (torch.randn(size, size, device=backend, dtype=getattr(torch, precision)) for _ in range(2))
    best = np.inf
    for _ in range(10):
        _wait(backend)
        started = time.perf_counter()
        left @ right
        _wait(backend)
        best = min(best, time.perf_counter() - started)
    return 2.0 * size**3 / best


def _wait(backend: str) -> None:
    if backend == "cuda":
        import torch

        torch.cuda.synchronize()


if __name__ == "__main__":
    main()
