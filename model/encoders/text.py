"""A language encoder on ONNX Runtime: text in, one vector a segment out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float32
from tokenizers import Tokenizer

from model.encoders.batch_plan import Unit
from model.encoders.batcher import Batcher
from model.encoders.batching_statistics import BatchingStatistics
from model.encoders.buckets import TEXT_BUDGET, batch_rules, text_bucket, text_cost
from model.encoders.cancellation import Cancellation
from model.encoders.description import GRAPH, TOKENIZER, EncoderDescription, fingerprint, read_description
from model.encoders.runtime import RuntimeOptions, open_session
from model.encoders.windows import average_windows
from model.errors import BundleInvalid


class TextEncoder:
    """Tokenises with `tokenizer.json` alone; a text beyond the window is read in windows and averaged by tokens."""

    def __init__(self, folder: Path, options: RuntimeOptions) -> None:
        self.description: EncoderDescription = read_description(folder)
        self.fingerprint = fingerprint(folder)
        if self.description.longest is None or self.description.pad_id is None:
            raise BundleInvalid("the text encoder's description lacks its window or padding token")
        self._longest = self.description.longest
        self._pad_id = self.description.pad_id
        self._tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(self._longest)
        self._session = open_session(folder / GRAPH, options)
        self.provider: str = self._session.get_providers()[0]
        rules = batch_rules(TEXT_BUDGET, options.linger)
        self._batcher: Batcher[list[int]] = Batcher(self._run, rules, dim=self.description.dim)

    def encode(
        self, material: Sequence[str], *, cancellation: Cancellation | None = None
    ) -> Float32[np.ndarray, "segment dim"]:
        """Encode texts; an empty one gives the features of the special tokens alone.

        Raises EncodingError when they are not encoded: cancelled, closed, or too much waits.
        """
        owners: list[int] = []
        windows: list[list[int]] = []
        for position, encoding in enumerate(self._tokenizer.encode_batch(list(material))):
            for window in [encoding, *encoding.overflowing]:
                owners.append(position)
                windows.append(window.ids)
        features = self._batcher.encode([self._unit(window) for window in windows], cancellation)
        return average_windows(features, owners, [len(window) for window in windows], count=len(material))

    def statistics(self) -> BatchingStatistics:
        """What its batcher has done so far, in tokens."""
        return self._batcher.statistics()

    def close(self) -> None:
        """End the thread that runs the graph; what waits for it fails with EncoderClosed."""
        self._batcher.close()

    def _unit(self, window: list[int]) -> Unit[list[int]]:
        bucket = text_bucket(len(window), self._longest)
        return Unit(material=window, used=len(window), bucket=bucket, cost=text_cost(bucket))

    def _run(self, bucket: int, windows: Sequence[list[int]]) -> Float32[np.ndarray, "window dim"]:
        tokens = np.full((len(windows), bucket), self._pad_id, dtype=np.int64)
        for row, window in enumerate(windows):
            tokens[row, : len(window)] = window
        valid = np.array([len(window) for window in windows], dtype=np.int64)
        features: Float32[np.ndarray, "window dim"]
        (features,) = self._session.run(["features"], {"tokens": tokens, "valid": valid})
        return features
