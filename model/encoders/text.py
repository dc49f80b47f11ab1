"""A language encoder on ONNX Runtime: text in, one vector a segment out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float32
from tokenizers import Tokenizer

from model.encoders.buckets import batches, full_batches
from model.encoders.description import GRAPH, TOKENIZER, EncoderDescription, fingerprint, read_description
from model.encoders.running import GraphRunner
from model.encoders.runtime import Feed, RuntimeOptions
from model.encoders.windows import average_windows
from model.errors import BundleInvalid

BUCKET_TOKENS = 32
BATCH_TOKENS = 2048


class TextEncoder:
    """Tokenises with `tokenizer.json` alone; a text beyond the window is read in windows and averaged by tokens."""

    def __init__(self, folder: Path, options: RuntimeOptions) -> None:
        self.description: EncoderDescription = read_description(folder)
        self.fingerprint = fingerprint(folder)
        if self.description.longest is None or self.description.pad_id is None:
            raise BundleInvalid("the text encoder's description lacks its window or padding token")
        self._pad_id = self.description.pad_id
        self._tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(self.description.longest)
        self._runner = GraphRunner(folder / GRAPH, options, self.feed())
        self.provider: str = self._runner.provider

    def feed(self) -> Feed:
        """The full batches that the graph is fed, one for each bucket."""
        longest = self.description.longest or BUCKET_TOKENS
        shapes = full_batches(longest=longest, step=BUCKET_TOKENS, budget=BATCH_TOKENS)
        return Feed(
            material="tokens",
            lengths="valid",
            shapes=tuple((rows, min(bucket, longest)) for rows, bucket in shapes),
            half=self.description.precision == "float16",
            capturable=self.description.capturable,
        )

    def warm_up(self) -> None:
        """Meet every full batch once, where that spares requests anything."""
        self._runner.warm_up()

    def encode(self, material: Sequence[str]) -> Float32[np.ndarray, "segment dim"]:
        """Encode texts; an empty one gives the features of the special tokens alone."""
        owners: list[int] = []
        windows: list[list[int]] = []
        for position, encoding in enumerate(self._tokenizer.encode_batch(list(material))):
            for window in [encoding, *encoding.overflowing]:
                owners.append(position)
                windows.append(window.ids)
        lengths = [len(window) for window in windows]
        return average_windows(self._run(windows), owners, lengths, count=len(material))

    def _run(self, windows: Sequence[Sequence[int]]) -> Float32[np.ndarray, "window dim"]:
        features = np.zeros((len(windows), self.description.dim), dtype=np.float32)
        lengths = [len(window) for window in windows]
        for bucket, positions in batches(lengths, step=BUCKET_TOKENS, budget=BATCH_TOKENS):
            bounded = min(bucket, self.description.longest or bucket)
            tokens = np.full((len(positions), bounded), self._pad_id, dtype=np.int64)
            for row, position in enumerate(positions):
                tokens[row, : lengths[position]] = windows[position]
            valid = np.array([lengths[position] for position in positions], dtype=np.int64)
            (features[positions],) = self._runner.run({"tokens": tokens, "valid": valid})
        return features
