"""A text encoder on ONNX Runtime: one feature vector per text."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float32
from tokenizers import Tokenizer

from model.encoders.batch_plan import Unit
from model.encoders.batcher import Batcher
from model.encoders.batching_statistics import BatchingStatistics
from model.encoders.buckets import ON_GPU, batch_rules, full_batches, sizes_for, text_bucket
from model.encoders.cancellation import Cancellation
from model.encoders.description import GRAPH, TOKENIZER, EncoderDescription, fingerprint, read_description
from model.encoders.running import GraphRunner
from model.encoders.runtime import GraphFeed, RuntimeOptions
from model.encoders.windows import average_windows
from model.errors import BundleInvalid


class TextEncoder:
    """Tokenises with `tokenizer.json`. A text longer than the window is encoded in windows and averaged by tokens."""

    def __init__(self, folder: Path, options: RuntimeOptions) -> None:
        self.description: EncoderDescription = read_description(folder)
        self.fingerprint = fingerprint(folder)
        if self.description.longest is None or self.description.pad_id is None:
            raise BundleInvalid("the description of the text encoder lacks the window or the padding token")
        self._longest = self.description.longest
        self._pad_id = self.description.pad_id
        self._tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
        # `tokenizer.json` may bring padding and truncation of its own. Here the bucket decides.
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(self._longest)
        self._runner = GraphRunner(folder / GRAPH, options, self.feed())
        self.provider: str = self._runner.provider
        rules = batch_rules(sizes_for(self.provider).text_budget, options.linger)
        self._batcher: Batcher[list[int]] = Batcher(self._run, rules, dim=self.description.dim)

    def feed(self) -> GraphFeed:
        """The full batches of the graph on a GPU, one per bucket."""
        buckets = [text_bucket(length, self._longest) for length in range(1, self._longest + 1)]
        return GraphFeed(
            material="tokens",
            lengths="valid",
            shapes=full_batches(buckets, ON_GPU.text_budget),
            half=self.description.precision == "float16",
            capturable=self.description.capturable,
        )

    def warm_up(self) -> None:
        """Run every full batch once, where the first run of a shape is slow."""
        self._runner.warm_up()

    def encode(
        self, material: Sequence[str], *, cancellation: Cancellation | None = None
    ) -> Float32[np.ndarray, "segment dim"]:
        """Encode texts; an empty text has the features of the special tokens alone.

        Raises EncodingError: the request was cancelled, the encoder is closed, or its queue is full.
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
        """The statistics of the batcher, in tokens."""
        return self._batcher.statistics()

    def close(self) -> None:
        """End the thread that runs the graph; queued requests fail with EncoderClosed."""
        self._batcher.close()

    def _unit(self, window: list[int]) -> Unit[list[int]]:
        bucket = text_bucket(len(window), self._longest)
        return Unit(material=window, used=len(window), bucket=bucket, cost=float(bucket))

    def _run(self, bucket: int, windows: Sequence[list[int]]) -> Float32[np.ndarray, "window dim"]:
        tokens = np.full((len(windows), bucket), self._pad_id, dtype=np.int64)
        for row, window in enumerate(windows):
            tokens[row, : len(window)] = window
        valid = np.array([len(window) for window in windows], dtype=np.int64)
        features: Float32[np.ndarray, "window dim"]
        (features,) = self._runner.run({"tokens": tokens, "valid": valid})
        return features
