"""The length each unit is padded to, what it costs, and what a batch may cost.

A unit is padded to its bucket, which depends on the unit alone: its features never hang on its batch mates, and the
runtime meets few shapes (decision 0003). Costs are padded samples and padded tokens.
"""

from __future__ import annotations

from model.encoders.batch_plan import BatchRules

SPEECH_BUDGET = 480_000.0  # samples: 30 s
TEXT_STEPS = ((64, 8), (512, 16))  # up to so many tokens, in such steps
TEXT_LAST_STEP = 32
TEXT_BUDGET = 512.0
# So many full batches may wait: some minutes of work, and for speech half an hour of samples, 120 MB.
WAITING_BATCHES = 64


def bucket_of(length: int, step: int) -> int:
    """The smallest multiple of `step` that holds `length` (both in samples, or in tokens)."""
    return max(1, -(-length // step)) * step


def speech_bucket(samples: int) -> int:
    """Samples a waveform is padded to: none.

    A segment of 10-30 s fills a processor by itself, and where a batch has no padding attention needs no mask.
    """
    return samples


def speech_cost(bucket: int) -> float:
    """Of one waveform, in padded samples."""
    return float(bucket)


def text_bucket(tokens: int, longest: int) -> int:
    """Tokens a window of text is padded to; no window has more than `longest`."""
    step = next((step for most, step in TEXT_STEPS if tokens <= most), TEXT_LAST_STEP)
    return min(bucket_of(tokens, step), longest)


def text_cost(bucket: int) -> float:
    """Of one window of text, in padded tokens."""
    return float(bucket)


def batch_rules(budget: float, linger: float) -> BatchRules:
    """Batches of this cost, held back for `linger` seconds while they have room."""
    return BatchRules(budget=budget, linger=linger, most_waiting=WAITING_BATCHES * budget)
