"""The ways to encode a load that are compared, each in a process of its own: its peak memory is then its own.

A process reads one command a line: `run` encodes the whole load, which arrives at once, and answers with the moments,
in seconds since then, at which each segment's features were there.
"""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from bench.encoding.loads import SAMPLE_RATE, texts, waveforms

FIFO_BATCH = 8
SUBMITTERS = 64
Material = list[np.ndarray] | list[str]
Run = Callable[[], list[float]]


def serve(contender: str, checkpoint: str, exported: str, load: str, count: int, threads: int) -> None:
    """Answer commands until the input ends."""
    speech = "hubert" in checkpoint or "whisper" in checkpoint
    material: Material = waveforms(load, count) if speech else texts(load, count)
    run = CONTENDERS[contender](Path(checkpoint), Path(exported), material, threads)
    for _ in sys.stdin:
        moments = run()
        peak = int(re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text()).group(1)) / 1024
        print(json.dumps({"moments": moments, "megabytes": peak, **NOTES}), flush=True)


NOTES: dict[str, float] = {}
"""What a contender has to say besides: padded over used."""


def _torch(checkpoint: Path, _: Path, material: Material, threads: int, *, batch: int = 1) -> Run:
    """transformers' own encoder; `batch` segments at a time as they come, padded to the longest of them."""
    import torch

    torch.set_num_threads(threads)
    prepare, encode = _torch_encoder(checkpoint)

    def run() -> list[float]:
        moments = []
        started = time.perf_counter()
        with torch.inference_mode():
            for first in range(0, len(material), batch):
                members = material[first : first + batch]
                states = encode(prepare(members))
                for layer in states[-max(1, (len(states) - 1) // 3) :]:
                    layer.mean(dim=1)
                moments += [time.perf_counter() - started] * len(members)
        return moments

    if batch > 1:
        NOTES["padding"] = _fifo_padding(material, batch, checkpoint)
    return run


def _torch_encoder(checkpoint: Path) -> tuple[Callable[[Any], Any], Callable[[Any], Any]]:
    from transformers import AutoConfig, AutoFeatureExtractor, AutoModel, AutoModelForTextEncoding, AutoTokenizer

    kind = AutoConfig.from_pretrained(checkpoint).model_type
    if kind in {"hubert", "whisper"}:
        extractor = AutoFeatureExtractor.from_pretrained(checkpoint)
        padding = {"padding": True, "return_attention_mask": True} if kind == "hubert" else {}
        model = AutoModel.from_pretrained(checkpoint).eval()
        model = model.encoder if kind == "whisper" else model

        def prepare(members: list[np.ndarray]) -> Any:
            return extractor(members, sampling_rate=SAMPLE_RATE, return_tensors="pt", **padding)

        if kind == "whisper":
            return prepare, lambda found: model(found.input_features, output_hidden_states=True).hidden_states
        return (
            prepare,
            lambda found: (
                model(
                    found.input_values,
                    attention_mask=found.attention_mask if len(found.input_values) > 1 else None,
                    output_hidden_states=True,
                ).hidden_states
            ),
        )
    tokenizer = AutoTokenizer.from_pretrained(checkpoint)
    model = AutoModelForTextEncoding.from_pretrained(checkpoint).eval()
    names = ("input_ids", "attention_mask")
    return (
        lambda members: tokenizer(members, return_tensors="pt", padding=True),
        lambda found: model(**{name: found[name] for name in names}, output_hidden_states=True).hidden_states,
    )


def _pipeline(checkpoint: Path, _: Path, material: Material, threads: int) -> Run:
    """transformers' pipeline, batches of eight: feature extraction for text, the classifier's for speech.

    It has no feature extraction for speech; a classifier's pass is the encoder's and one small product more.
    """
    import torch
    from transformers import AutoConfig, AutoModelForTextEncoding, AutoTokenizer, pipeline

    torch.set_num_threads(threads)
    settings = {"device": "cpu", "batch_size": FIFO_BATCH}
    if AutoConfig.from_pretrained(checkpoint).model_type in {"hubert", "whisper"}:
        entries = [{"raw": one, "sampling_rate": SAMPLE_RATE} for one in material]
        run_all = pipeline("audio-classification", model=str(checkpoint), **settings)
    else:
        entries = material
        model, tokenizer = (
            AutoModelForTextEncoding.from_pretrained(checkpoint),
            AutoTokenizer.from_pretrained(checkpoint),
        )
        run_all = pipeline("feature-extraction", model=model, tokenizer=tokenizer, **settings)

    def each() -> Iterator[Any]:
        yield from (dict(one) if isinstance(one, dict) else one for one in entries)

    def run() -> list[float]:
        started = time.perf_counter()
        return [time.perf_counter() - started for _ in run_all(each())]

    return run


def _runtime(checkpoint: Path, exported: Path, material: Material, threads: int) -> Run:
    """Our graph in ONNX Runtime as one would first use it: batches of eight as they come, padded to the longest."""
    import onnxruntime
    from tokenizers import Tokenizer

    from model.encoders.description import GRAPH, read_description

    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(exported / GRAPH, settings, providers=["CPUExecutionProvider"])
    name, lengths = (entry.name for entry in session.get_inputs())
    pad = read_description(exported).pad_id or 0
    read: Callable[[Any], list[np.ndarray]] = list
    if isinstance(material[0], str):
        tokenizer = Tokenizer.from_file(str(exported / "tokenizer.json"))
        read = lambda members: [np.array(one.ids) for one in tokenizer.encode_batch(members)]  # noqa: E731

    def run() -> list[float]:
        moments = []
        started = time.perf_counter()
        for first in range(0, len(material), FIFO_BATCH):
            rows = read(material[first : first + FIFO_BATCH])
            padded = np.full((len(rows), max(map(len, rows))), pad, dtype=rows[0].dtype)
            for place, row in enumerate(rows):
                padded[place, : len(row)] = row
            session.run(None, {name: padded, lengths: np.array([len(row) for row in rows])})
            moments += [time.perf_counter() - started] * len(rows)
        return moments

    NOTES["padding"] = _fifo_padding(material, FIFO_BATCH, checkpoint, whole_windows=False)
    return run


def _ours(_: Path, exported: Path, material: Material, threads: int) -> Run:
    """This project's encoder, fed by many threads with a segment each, as a worker's are."""
    from model.encoders.runtime import RuntimeOptions
    from model.encoders.speech import SpeechEncoder
    from model.encoders.text import TextEncoder

    kind = TextEncoder if isinstance(material[0], str) else SpeechEncoder
    encoder = kind(exported, RuntimeOptions(threads=threads))

    def run() -> list[float]:
        started = time.perf_counter()

        def one(segment: Any) -> float:
            encoder.encode([segment])
            return time.perf_counter() - started

        with ThreadPoolExecutor(SUBMITTERS) as submitters:
            moments = list(submitters.map(one, material))
        found = encoder.statistics()
        NOTES["padding"] = found.padded / found.used
        return moments

    return run


def _fifo_padding(material: Material, batch: int, checkpoint: Path, *, whole_windows: bool = True) -> float:
    from bench.encoding.loads import lengths_of

    lengths = lengths_of(material)
    if whole_windows and "whisper" in checkpoint.name:
        return 30.0 * SAMPLE_RATE * len(lengths) / sum(lengths)
    groups = [lengths[first : first + batch] for first in range(0, len(lengths), batch)]
    return sum(max(group) * len(group) for group in groups) / sum(lengths)


CONTENDERS: dict[str, Callable[[Path, Path, Material, int], Run]] = {
    "torch, per segment": _torch,
    "torch, batched FIFO": lambda *given: _torch(*given, batch=FIFO_BATCH),
    "transformers pipeline": _pipeline,
    "ONNX Runtime FIFO": _runtime,
    "HILBERT": _ours,
    "HILBERT int8": lambda checkpoint, exported, *rest: _ours(checkpoint, Path(f"{exported}-int8"), *rest),
}

if __name__ == "__main__":
    serve(*sys.argv[1:5], count=int(sys.argv[5]), threads=int(sys.argv[6]))
