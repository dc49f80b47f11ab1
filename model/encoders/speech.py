"""A speech encoder on ONNX Runtime: waveform in, one vector a segment out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from model.encoders.buckets import batches, full_batches
from model.encoders.description import GRAPH, EncoderDescription, fingerprint, read_description
from model.encoders.encoder import Waveform
from model.encoders.running import GraphRunner
from model.encoders.runtime import Feed, RuntimeOptions
from model.encoders.windows import average_windows

BUCKET_SECONDS = 2.5
BATCH_SECONDS = 30.0
LONGEST_SECONDS = 30.0  # segments are cut no longer; a longer one is only met unprepared
SAMPLE_RATE = 16_000


class SpeechEncoder:
    """Normalisation, front end, layer choice and masked mean are in the graph; here is only the padding."""

    def __init__(self, folder: Path, options: RuntimeOptions) -> None:
        self.description: EncoderDescription = read_description(folder)
        self.fingerprint = fingerprint(folder)
        self._runner = GraphRunner(folder / GRAPH, options, self.feed())
        self.provider: str = self._runner.provider

    def feed(self) -> Feed:
        """The full batches that the graph is fed, one for each bucket."""
        step = self.description.window or int(BUCKET_SECONDS * SAMPLE_RATE)
        longest = self.description.window or int(LONGEST_SECONDS * SAMPLE_RATE)
        return Feed(
            material="waveform",
            lengths="samples",
            shapes=full_batches(longest=longest, step=step, budget=int(BATCH_SECONDS * SAMPLE_RATE)),
            half=self.description.precision == "float16",
            capturable=self.description.capturable,
        )

    def warm_up(self) -> None:
        """Meet every full batch once, where that spares requests anything."""
        self._runner.warm_up()

    def encode(self, material: Sequence[Waveform]) -> Float32[np.ndarray, "segment dim"]:
        """Encode waveforms of 16 kHz in [-1, 1]; one too short for a frame is padded with silence."""
        shortest = self.description.shortest or 1
        waveforms = self._dithered([np.pad(wave, (0, max(0, shortest - len(wave)))) for wave in material])
        window = self.description.window
        if window is None or all(len(wave) <= window for wave in waveforms):
            return self._run(waveforms)
        parts = [(owner, part) for owner, wave in enumerate(waveforms) for part in _windows(wave, window)]
        owners, windows = [owner for owner, _ in parts], [part for _, part in parts]
        return average_windows(self._run(windows), owners, [len(part) for part in windows], count=len(material))

    def _run(self, waveforms: Sequence[Waveform]) -> Float32[np.ndarray, "segment dim"]:
        features = np.zeros((len(waveforms), self.description.dim), dtype=np.float32)
        lengths = [len(wave) for wave in waveforms]
        # Where any segment costs a whole window, that is what a batch's budget has to count.
        step = self.description.window or int(BUCKET_SECONDS * SAMPLE_RATE)
        for bucket, positions in batches(lengths, step=step, budget=int(BATCH_SECONDS * SAMPLE_RATE)):
            padded = np.zeros((len(positions), bucket), dtype=np.float32)
            for row, position in enumerate(positions):
                padded[row, : lengths[position]] = waveforms[position]
            valid = np.array([lengths[position] for position in positions], dtype=np.int64)
            (features[positions],) = self._runner.run({"waveform": padded, "samples": valid})
        return features

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


def _windows(waveform: Waveform, length: int) -> Iterator[Waveform]:
    """Stretches of equal length, at most `length` samples: no rest too short to say anything."""
    pieces = -(-len(waveform) // length)
    yield from np.array_split(waveform, pieces)
