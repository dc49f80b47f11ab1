"""A speech encoder on ONNX Runtime: one feature vector per waveform."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from model.encoders.batch_plan import Unit
from model.encoders.batcher import Batcher
from model.encoders.batching_statistics import BatchingStatistics
from model.encoders.buckets import LONGEST_SPEECH, ON_GPU, batch_rules, full_batches, sizes_for, speech_bucket
from model.encoders.cancellation import Cancellation
from model.encoders.description import GRAPH, EncoderDescription, fingerprint, read_description
from model.encoders.encoder import Waveform
from model.encoders.running import GraphRunner
from model.encoders.runtime import GraphFeed, RuntimeOptions
from model.encoders.windows import average_windows

SAMPLE_RATE = 16_000


class SpeechEncoder:
    """Pads waveforms and runs the graph, which contains normalisation, front end, layer choice and masked mean."""

    def __init__(self, folder: Path, options: RuntimeOptions) -> None:
        self.description: EncoderDescription = read_description(folder)
        self.fingerprint = fingerprint(folder)
        self._runner = GraphRunner(folder / GRAPH, options, self.feed())
        self.provider: str = self._runner.provider
        self._sizes = sizes_for(self.provider)
        rules = batch_rules(self._sizes.speech_budget, options.linger)
        self._batcher: Batcher[Waveform] = Batcher(self._run, rules, dim=self.description.dim)

    def feed(self) -> GraphFeed:
        """The full batches of the graph on a GPU, one per bucket."""
        step, window = ON_GPU.speech_step or 1, self.description.window
        lengths = range(step, (window or LONGEST_SPEECH) + step, step)
        buckets = [speech_bucket(min(length, window or length), step, window) for length in lengths]
        return GraphFeed(
            material="waveform",
            lengths="samples",
            shapes=full_batches(buckets, ON_GPU.speech_budget),
            half=self.description.precision == "float16",
            capturable=self.description.capturable,
        )

    def warm_up(self) -> None:
        """Run every full batch once, where the first run of a shape is slow."""
        self._runner.warm_up()

    def encode(
        self, material: Sequence[Waveform], *, cancellation: Cancellation | None = None
    ) -> Float32[np.ndarray, "segment dim"]:
        """Encode waveforms at 16 kHz in [-1, 1]; a waveform shorter than a frame is padded with silence.

        Raises EncodingError: the request was cancelled, the encoder is closed, or its queue is full.

        See docs/method.md (F8).
        """
        shortest = self.description.shortest or 1
        waveforms = self._dithered([np.pad(wave, (0, max(0, shortest - len(wave)))) for wave in material])
        parts = [(owner, part) for owner, wave in enumerate(waveforms) for part in self._windows(wave)]
        features = self._batcher.encode([self._unit(part) for _, part in parts], cancellation)
        if len(parts) == len(waveforms):
            return features
        owners, lengths = [owner for owner, _ in parts], [len(part) for _, part in parts]
        return average_windows(features, owners, lengths, count=len(material))

    def statistics(self) -> BatchingStatistics:
        """The statistics of the batcher, in samples."""
        return self._batcher.statistics()

    def close(self) -> None:
        """End the thread that runs the graph; queued requests fail with EncoderClosed."""
        self._batcher.close()

    def _unit(self, waveform: Waveform) -> Unit[Waveform]:
        bucket = speech_bucket(len(waveform), self._sizes.speech_step, self.description.window)
        return Unit(material=waveform, used=len(waveform), bucket=bucket, cost=float(bucket))

    def _run(self, bucket: int, waveforms: Sequence[Waveform]) -> Float32[np.ndarray, "window dim"]:
        padded = np.zeros((len(waveforms), bucket), dtype=np.float32)
        for row, waveform in enumerate(waveforms):
            padded[row, : len(waveform)] = waveform
        valid = np.array([len(waveform) for waveform in waveforms], dtype=np.int64)
        features: Float32[np.ndarray, "window dim"]
        (features,) = self._runner.run({"waveform": padded, "samples": valid})
        return features

    def _windows(self, waveform: Waveform) -> Iterator[Waveform]:
        """Parts of about equal length, each at most a window, so that no part is very short."""
        pieces = -(-len(waveform) // (self.description.window or len(waveform)))
        yield from np.array_split(waveform, pieces)

    def _dithered(self, waveforms: list[Waveform]) -> list[Waveform]:
        """Add the same low noise to every waveform, if the description has dither (decision 0007).

        An encoder that normalises every frame amplifies silence, in which codecs differ. A noise floor makes silence
        equal across codecs. The noise is fixed, so that features stay a function of the segment alone.
        """
        if not self.description.dither or not waveforms:
            return waveforms
        longest = max(len(wave) for wave in waveforms)
        floor = np.random.default_rng(0).standard_normal(longest, dtype=np.float32)
        floor *= np.float32(self.description.dither)
        return [wave + floor[: len(wave)] for wave in waveforms]
