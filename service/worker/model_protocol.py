"""What a worker asks of the model, in bytes and service values; `assessing` answers with the real one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from service.assessments.result import ModelTrace, Quality, QualityFlag, Result
from service.worker_registry import LoadedModel


class MaterialUnusable(Exception):
    """The recording or transcript cannot be assessed, and never will be; says what to do, quotes nothing."""

    def __init__(self, *, code: str, detail: str, advice: str) -> None:
        super().__init__(code)
        self.code = code
        self.detail = detail
        self.advice = advice


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedChunk:
    """Some segments of a recording, as the encode stage takes them."""

    content: bytes
    segments: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Preparation:
    """A recording cut into segments; `chunks` can be walked once and is empty when there will be no score.

    `seconds` is the length of its sound, 0 without any.
    """

    summary: bytes
    seconds: float
    chunks: Iterator[PreparedChunk]


# Takes what is to be called once nobody waits for an answer any more; at once when that is so already.
OnLost = Callable[[Callable[[], None]], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class EncoderLoad:
    """What an encoder has done since the worker started; counts and seconds, nothing of the material."""

    encoder: str
    batches: int
    entries: int
    cancelled: int
    failed: int
    padding: float  # padded over used
    fill: float  # of the batches' budget
    waiting: int
    busy_seconds: float
    wait_p50: float
    wait_p95: float


class AssessmentModel(Protocol):
    """A loaded model. Used by as many threads as the worker has, once it has been warmed up."""

    @property
    def loaded(self) -> LoadedModel:
        """What is loaded."""
        ...

    @property
    def trace(self) -> ModelTrace:
        """What a result says of the model when nothing was computed."""
        ...

    def warm_up(self) -> None:
        """Do one real forward pass, and hold its answer against the one expected. Raises ConfigurationRefused."""
        ...

    def prepare(self, audio: Path | None, transcript: bytes | None, scratch: Path) -> Preparation:
        """Decode and cut. Raises MaterialUnusable."""
        ...

    def encode(self, chunk: bytes, on_lost: OnLost | None = None) -> bytes:
        """Features of a chunk. Raises FenceLost soon after the stage is lost, instead of going on in vain."""
        ...

    def score(self, summary: bytes, features: Sequence[bytes], task: str) -> Result:
        """The result; without an outcome when the material allows none."""
        ...

    def load(self) -> tuple[EncoderLoad, ...]:
        """How its encoders fare."""
        ...

    def close(self) -> None:
        """End its threads and give back what the model holds; it is not used afterwards."""
        ...


def unscored_result(task: str, refusal: MaterialUnusable, trace: ModelTrace) -> Result:
    """The answer for material that could not even be prepared: no numbers, and the reason as a hard flag."""
    flag = QualityFlag(code=refusal.code, hard=True, message=f"{refusal.detail} {refusal.advice}")
    return Result(
        task=task,
        outcome=None,
        probabilities=(),
        contributions=None,
        segments=(),
        quality=Quality(
            duration_seconds=0.0,
            speech_seconds=0.0,
            segments=0,
            words=0,
            snr_db=None,
            clipping=None,
            flags=(flag,),
        ),
        model=trace,
    )
