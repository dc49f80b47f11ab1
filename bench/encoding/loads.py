"""What the encoders are measured on: segments and texts of mixed and of equal lengths, from a fixed seed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

WORDS = tuple(f"w{number}" for number in range(1000))
SAMPLE_RATE = 16_000
SHORTEST_SECONDS, LONGEST_SECONDS = 10.0, 30.0
SHORTEST_TOKENS, LONGEST_TOKENS = 10, 400
SPECIAL = 2
SEED = 20_261


def waveforms(load: str, count: int) -> list[np.ndarray]:
    """Noise of 10-30 s, or of 20 s where all are to be `equal`: what is heard does not change an encoder's time."""
    random = np.random.default_rng(SEED)
    seconds = random.uniform(SHORTEST_SECONDS, LONGEST_SECONDS, count)
    if load == "equal":
        seconds[:] = 20.0
    return [random.standard_normal(int(each * SAMPLE_RATE), dtype=np.float32) * 0.1 for each in seconds]


def texts(load: str, count: int) -> list[str]:
    """Texts by their length in tokens.

    `mixed`: 10-400, each octave as often as any other, as short answers and long accounts come in interviews;
    `uniform`: 10-400, each length as often; `spoken`: what is said in 10-30 s at 110-170 words a minute;
    `equal`: 128.
    """
    random = np.random.default_rng(SEED)
    lengths = {
        "mixed": np.exp(random.uniform(np.log(SHORTEST_TOKENS), np.log(LONGEST_TOKENS), count)),
        "uniform": random.uniform(SHORTEST_TOKENS, LONGEST_TOKENS, count),
        "spoken": random.uniform(10, 30, count) * random.uniform(110, 170, count) / 60 * 1.3,
        "equal": np.full(count, 128.0),
    }[load]
    return [" ".join(random.choice(WORDS, max(1, round(length) - SPECIAL))) for length in lengths]


def lengths_of(material: Sequence[np.ndarray] | Sequence[str]) -> list[int]:
    """In samples, or in tokens with the special ones (two, or T5's one)."""
    return [len(one) if isinstance(one, np.ndarray) else len(one.split()) + SPECIAL for one in material]
