"""A speech encoder on ONNX Runtime: waveform in, one vector a segment out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from model.encoders.buckets import batches
from model.encoders.description import GRAPH, EncoderDescription, fingerprint, read_description
from model.encoders.encoder import Waveform
from model.encoders.runtime import RuntimeOptions, open_session

BUCKET_SECONDS = 2.5
BATCH_SECONDS = 30.0
SAMPLE_RATE = 16_000


class SpeechEncoder:
    """Normalisation, front end, layer choice and masked mean are in the graph; here is only the padding."""

    def __init__(self, folder: Path, options: RuntimeOptions) -> None:
        self.description: EncoderDescription = read_description(folder)
        self.fingerprint = fingerprint(folder)
        self._session = open_session(folder / GRAPH, options)
        self.provider: str = self._session.get_providers()[0]

    def encode(self, material: Sequence[Waveform]) -> Float32[np.ndarray, "segment dim"]:
        """Encode waveforms of 16 kHz in [-1, 1]; one too short for a frame is padded with silence."""
        shortest = self.description.shortest or 1
        waveforms = self._dithered([np.pad(wave, (0, max(0, shortest - len(wave)))) for wave in material])
        features = np.zeros((len(waveforms), self.description.dim), dtype=np.float32)
        lengths = [len(wave) for wave in waveforms]
        step, budget = int(BUCKET_SECONDS * SAMPLE_RATE), int(BATCH_SECONDS * SAMPLE_RATE)
        for bucket, positions in batches(lengths, step=step, budget=budget):
            padded = np.zeros((len(positions), bucket), dtype=np.float32)
            for row, position in enumerate(positions):
                padded[row, : lengths[position]] = waveforms[position]
            valid = np.array([lengths[position] for position in positions], dtype=np.int64)
            (features[positions],) = self._session.run(["features"], {"waveform": padded, "samples": valid})
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
