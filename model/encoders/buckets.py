"""The length each unit is padded to, and what a batch may cost.

A unit is padded to its bucket, which depends on the unit alone: its features never hang on its batch mates
(decision 0003). Costs are padded samples and padded tokens.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from model.encoders.batch_plan import BatchRules
from model.encoders.runtime import CPU

LONGEST_SPEECH = 480_000  # samples: segments are cut no longer; a longer one is only met unprepared
TEXT_STEPS = ((64, 8), (512, 16))  # up to so many tokens, in such steps
TEXT_LAST_STEP = 32
# So many full batches may wait: some minutes of work, and for speech half an hour of samples, 120 MB.
WAITING_BATCHES = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchSizes:
    """How speech is padded and how much a batch holds, on one kind of device."""

    speech_step: int | None  # samples; None: nothing is padded
    speech_budget: float  # padded samples
    text_budget: float  # padded tokens


# A segment of 10-30 s fills a processor by itself, and where a batch has no padding attention needs no mask.
ON_CPU = BatchSizes(speech_step=None, speech_budget=480_000.0, text_budget=512.0)
# A GPU wants few shapes, each met once before the first request, and 16 segments of 30 s to be full.
ON_GPU = BatchSizes(speech_step=40_000, speech_budget=7_680_000.0, text_budget=16_384.0)


def sizes_for(provider: str) -> BatchSizes:
    """Those of an execution provider."""
    return ON_CPU if provider == CPU else ON_GPU


def bucket_of(length: int, step: int) -> int:
    """The smallest multiple of `step` that holds `length` (both in samples, or in tokens)."""
    return max(1, -(-length // step)) * step


def speech_bucket(samples: int, step: int | None, window: int | None) -> int:
    """Samples a waveform is padded to; none has more than the encoder's window, if it has one."""
    if step is None:
        return samples
    return min(bucket_of(samples, step), window or LONGEST_SPEECH) if samples <= LONGEST_SPEECH else samples


def text_bucket(tokens: int, longest: int) -> int:
    """Tokens a window of text is padded to; no window has more than `longest`."""
    step = next((step for most, step in TEXT_STEPS if tokens <= most), TEXT_LAST_STEP)
    return min(bucket_of(tokens, step), longest)


def full_batches(buckets: Iterable[int], budget: float) -> tuple[tuple[int, int], ...]:
    """(rows, bucket) of a full batch of each bucket, shortest first."""
    return tuple((max(1, int(budget // bucket)), bucket) for bucket in sorted(set(buckets)))


def batch_rules(budget: float, linger: float) -> BatchRules:
    """Batches of this cost, held back for `linger` seconds while they have room."""
    return BatchRules(budget=budget, linger=linger, max_waiting_cost=WAITING_BATCHES * budget)
