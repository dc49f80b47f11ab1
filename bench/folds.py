"""Folds a second: 25 folds trained in stacks against the loop that trains one after the other.

    PYTHONPATH=. python bench/folds.py            the ratios at n = 300
    PYTHONPATH=. python bench/folds.py memory     peak memory at n = 1000 with 64 segments of 1280 features

All in one run, on two cores each, on equal folds, dropout and losses; the arms are timed in turns, and of each the
quickest round counts, for other work on the machine only ever adds. "Padded loop" is the loop as it is usually
written, every document padded to the longest; "loop" and the stacks pad a document to its own length bound. The last
arms are what a run does by default: two processes of one thread, each with stacks of its own. Products of matrices
bound all of them from below: "of peak" is the share of the measured matrix-multiply rate that a step's products attain.
"""

from __future__ import annotations

import resource
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from model.config import NetworkSettings
from model.features import SegmentFeatures
from model.network.checkpoint import NetworkDescription, build
from model.network.losses.settings import ObjectiveSettings
from training.config import TrainerSettings
from training.documents.labelled import LabelledDocument
from training.documents.padding import choose_padded_lengths
from training.fit.learner import LearnerSpec
from training.fit.run_types import EpochReport, FitOptions, FoldData
from training.fit.trainer import train_stack

OUTCOMES = {"spectrum": ("none", "depressive", "bipolar", "psychotic")}
THREADS, DOCUMENTS, TRAINED = 2, 300, 240
ROUNDS, STEPS = 3, 4


def document(number: int, segments: int, dims: tuple[int, int]) -> LabelledDocument:
    chance = np.random.default_rng(number)
    return LabelledDocument(
        person=f"p{number}",
        family=f"f{number // 2}",
        features=SegmentFeatures(
            indices=np.arange(segments),
            times=np.arange(segments, dtype=np.float32) * 20,
            audio=chance.standard_normal((segments, dims[0]), dtype=np.float32),
            text=chance.standard_normal((segments, dims[1]), dtype=np.float32),
            audio_mask=np.ones(segments, dtype=bool),
            text_mask=np.ones(segments, dtype=bool),
        ),
        labels={"spectrum": number % 4},
    )


def spec(dims: tuple[int, int], width: int) -> LearnerSpec:
    description = NetworkDescription(
        audio_dim=dims[0], text_dim=dims[1], outcomes=OUTCOMES, network=NetworkSettings(width=width, dropout=0.2)
    )
    return LearnerSpec(
        name="bench", build=partial(build, description), width=width, outcomes=OUTCOMES, objective=ObjectiveSettings()
    )


def seconds_a_step(
    made: LearnerSpec, folds: list[FoldData], bounds: tuple[int, ...], steps: int = STEPS, threads: int = THREADS
) -> float:
    """Seconds that one step of one fold takes in a stack of these folds; set-up and first step left out."""
    moments: list[float] = []

    def report(_: EpochReport) -> None:
        moments.append(time.perf_counter())

    settings = TrainerSettings(steps=steps + 1, look_every=1, threads=threads, device="cpu")
    train_stack(made, folds, FitOptions(settings=settings, modality_dropout=0.15, bounds=bounds, on_report=report))
    return (moments[-1] - moments[0]) / steps / len(folds)


def floating_operations(made: LearnerSpec, fold: FoldData, bounds: tuple[int, ...]) -> float:
    """Floating-point operations of the matrix products in one step of one fold, forwards and backwards."""
    settings = TrainerSettings(steps=1, threads=THREADS, device="cpu")
    with FlopCounterMode(display=False) as counter:
        train_stack(made, [fold], FitOptions(settings=settings, bounds=bounds))
    return float(counter.get_total_flops())


def multiply_rate() -> float:
    """Measured float32 matrix products of this machine, operations a second."""
    torch.set_num_threads(THREADS)
    a = torch.randn(1024, 1024)
    times = []
    for _ in range(30):
        began = time.perf_counter()
        a @ a
        times.append(time.perf_counter() - began)
    return 2 * 1024**3 / min(times)


def seconds_side_by_side(
    pool: ProcessPoolExecutor, made: LearnerSpec, folds: list[FoldData], bounds: tuple[int, ...]
) -> float:
    """The same for two processes of one thread, each with a stack of these folds, running at the same time."""
    both = [pool.submit(seconds_a_step, made, folds, bounds, 2 * STEPS, 1) for _ in range(2)]
    return max(future.result() for future in both) / 2


def compare(name: str, lengths: list[int], dims: tuple[int, int], width: int, sizes: tuple[int, ...]) -> None:
    documents = [document(number, length, dims) for number, length in enumerate(lengths)]
    made, bounds, longest = spec(dims, width), choose_padded_lengths(lengths), (max(lengths),)
    chance = np.random.default_rng(0)
    folds = []
    for number in range(max(sizes)):
        families = set(chance.permutation(DOCUMENTS // 2)[: TRAINED // 2].tolist())
        train = [document for at, document in enumerate(documents) if at // 2 in families]
        folds.append(FoldData(name=str(number), seed=number, train=train))
    arms = {"padded loop": (1, longest), "loop": (1, bounds)} | {f"stack of {s}": (s, bounds) for s in sizes}
    times: dict[str, list[float]] = {arm: [] for arm in arms}
    apart = {f"2 x stack of {s}": s for s in sizes}
    times |= {arm: [] for arm in apart}
    # Spawned: no thread of a numerical library crosses a fork. Opened once, so that starting it is timed by nobody.
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        for _ in range(ROUNDS):
            for arm, (size, chosen) in arms.items():
                times[arm].append(seconds_a_step(made, folds[:size], chosen))
            for arm, size in apart.items():
                times[arm].append(seconds_side_by_side(pool, made, folds[:size], bounds))
    rate, operations = multiply_rate(), floating_operations(made, folds[0], bounds)
    padded = floating_operations(made, folds[0], longest)
    fastest = {arm: min(values) for arm, values in times.items()}
    print(f"\n{name}: {TRAINED} of {DOCUMENTS} documents a fold, features {dims}, width {width}, bounds {bounds}")
    print(f"products alone, at the measured {rate / 1e9:.0f} GFLOP/s: {operations / rate * 1e3:.1f} ms a step")
    print(f"{'':16} {'ms a step':>10} {'folds/s (100 steps)':>20} {'x loop':>7} {'x padded':>9} {'of peak':>8}")
    for arm, value in fastest.items():
        counted = padded if arm == "padded loop" else operations
        print(
            f"{arm:16} {value * 1e3:10.1f} {1 / (100 * value):20.3f} {fastest['loop'] / value:7.2f}"
            f" {fastest['padded loop'] / value:9.2f} {counted / value / rate:8.0%}"
        )


def measure_memory() -> None:
    """One fold of 1000 documents with 64 segments: what a whole-fold batch takes."""
    dims = (1280, 1280)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    documents = [document(number, 64, dims) for number in range(1000)]
    features = sum(document.features.audio.nbytes + document.features.text.nbytes for document in documents) / 2**20
    fold = FoldData(name="all", seed=1, train=documents)
    seconds = seconds_a_step(spec(dims, 128), [fold], (64,), steps=1)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"n = 1000, 64 segments, 1280 + 1280 features, width 128: features {features:.0f} MB, ", end="")
    print(f"peak memory {peak:.0f} MB ({before:.0f} MB before), {seconds:.1f} s a step")


def main() -> None:
    if "memory" in sys.argv[1:]:
        measure_memory()
        return
    chance = np.random.default_rng(1)
    short = chance.integers(4, 8, size=DOCUMENTS).tolist()
    long = np.exp(chance.uniform(np.log(8), np.log(64), size=DOCUMENTS)).astype(int).tolist()
    compare("short recordings", short, (128, 128), 64, (4, 8))
    compare("short recordings", short, (128, 128), 128, (4, 8))
    if "short" not in sys.argv[1:]:
        compare("8 to 64 segments", long, (1280, 768), 128, (2, 4))


if __name__ == "__main__":
    main()
