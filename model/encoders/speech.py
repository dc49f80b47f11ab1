"""A speech encoder on ONNX Runtime: waveform in, one vector a segment out."""

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
    """Normalisation, front end, layer choice and masked mean are in the graph; here is only the padding."""

    def __init__(self, folder: Path, options: RuntimeOptions) -> None:
        self.description: EncoderDescription = read_description(folder)
        self.fingerprint = fingerprint(folder)
        self._runner = GraphRunner(folder / GRAPH, options, self.feed())
        self.provider: str = self._runner.provider
        self._sizes = sizes_for(self.provider)
        rules = batch_rules(self._sizes.speech_budget, options.linger)
        self._batcher: Batcher[Waveform] = Batcher(self._run, rules, dim=self.description.dim)

    def feed(self) -> GraphFeed:
        """The full batches that the graph is fed on a GPU, one for each bucket."""
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
        """Meet every full batch once, where that spares requests anything."""
        self._runner.warm_up()

    def encode(
        self, material: Sequence[Waveform], *, cancellation: Cancellation | None = None
    ) -> Float32[np.ndarray, "segment dim"]:
        """Encode waveforms of 16 kHz in [-1, 1]; one too short for a frame is padded with silence.

        Raises EncodingError when they are not encoded: cancelled, closed, or too much waits.
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
        """What its batcher has done so far, in samples."""
        return self._batcher.statistics()

    def close(self) -> None:
        """End the thread that runs the graph; what waits for it fails with EncoderClosed."""
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
        """Stretches of equal length, at most a window: no rest too short to say anything."""
        pieces = -(-len(waveform) // (self.description.window or len(waveform)))
        yield from np.array_split(waveform, pieces)

    def _dithered(self, waveforms: list[Waveform]) -> list[Waveform]:
        """Put the same faint noise under every waveform, as far as the description asks for any.

        An encoder that normalises every frame makes as much of silence as of speech, and silence is where codecs
        differ; a floor of noise makes their silences alike. It is the same for all, so that features stay a
        function of the segment alone.
        """
        if not self.description.dither or not waveforms:
            return waveforms
        longest = max(len(wave) for wave in waveforms)
        floor = np.random.default_rng(0).standard_normal(longest, dtype=np.float32)
        floor *= np.float32(self.description.dither)
        return [wave + floor[: len(wave)] for wave in waveforms]
