"""Padding buckets and batch budgets.

A unit is padded to its bucket, which depends on the unit alone, so that its features never depend on the other units of
its batch (decision 0003). Costs are padded samples and padded tokens.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from model.encoders.batch_plan import BatchRules
from model.encoders.runtime import CPU

LONGEST_SPEECH = 480_000  # samples: the maximum of a segment; longer input has no bucket
TEXT_STEPS = ((64, 8), (512, 16))  # (maximum tokens, step)
TEXT_LAST_STEP = 32
# Full batches that may be queued: some minutes of work; for speech half an hour of samples, 120 MB.
WAITING_BATCHES = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchSizes:
    """Padding of speech and batch budgets on one kind of device."""

    speech_step: int | None  # samples; None: no padding
    speech_budget: float  # padded samples
    text_budget: float  # padded tokens


# A segment of 10-30 s uses a processor fully, and attention without padding needs no mask.
ON_CPU = BatchSizes(speech_step=None, speech_budget=480_000.0, text_budget=512.0)
# A GPU needs few shapes, each compiled once in the warm-up, and 16 segments of 30 s for full utilisation.
ON_GPU = BatchSizes(speech_step=40_000, speech_budget=7_680_000.0, text_budget=16_384.0)


def sizes_for(provider: str) -> BatchSizes:
    """The batch sizes for an execution provider."""
    return ON_CPU if provider == CPU else ON_GPU


def bucket_of(length: int, step: int) -> int:
    """The smallest multiple of `step` that is at least `length` (both in samples, or in tokens)."""
    return max(1, -(-length // step)) * step


def speech_bucket(samples: int, step: int | None, window: int | None) -> int:
    """The padded length of a waveform in samples, at most the window of the encoder if it has one."""
    if step is None:
        return samples
    return min(bucket_of(samples, step), window or LONGEST_SPEECH) if samples <= LONGEST_SPEECH else samples


def text_bucket(tokens: int, longest: int) -> int:
    """The padded length of a text window in tokens, at most `longest`."""
    step = next((step for most, step in TEXT_STEPS if tokens <= most), TEXT_LAST_STEP)
    return min(bucket_of(tokens, step), longest)


def full_batches(buckets: Iterable[int], budget: float) -> tuple[tuple[int, int], ...]:
    """The (rows, length) of a full batch for each bucket, shortest first."""
    return tuple((max(1, int(budget // bucket)), bucket) for bucket in sorted(set(buckets)))


def batch_rules(budget: float, linger: float) -> BatchRules:
    """Rules for batches of this budget that wait up to `linger` seconds for more units."""
    return BatchRules(budget=budget, linger=linger, max_waiting_cost=WAITING_BATCHES * budget)
