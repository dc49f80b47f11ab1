"""The model as workers see it, in bytes and values of the service; `model_adapter` implements it with a real bundle."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from service.assessments.result import ModelTrace, Quality, QualityFlag, Result
from service.worker_registry import LoadedModel


class MaterialUnusable(Exception):
    """The recording or transcript can never be assessed; holds advice and quotes no content."""

    def __init__(self, *, code: str, detail: str, advice: str) -> None:
        super().__init__(code)
        self.code = code
        self.detail = detail
        self.advice = advice


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedChunk:
    """Some segments of a recording: the input of one encode stage."""

    content: bytes
    segments: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Preparation:
    """A recording cut into segments; `chunks` can be iterated once and is empty when there will be no score.

    `seconds` is the length of the audio, 0 without audio.
    """

    summary: bytes
    seconds: float
    chunks: Iterator[PreparedChunk]


RecordingOptionFields = Mapping[str, Any] | None
"""The stored fields of `RecordingFields`; None if the client gave none."""

Check = Callable[[], None]
"""Raises FenceLost once the claim of the stage is lost."""


def never_lost() -> None:
    """The check of work outside a stage."""


OnLost = Callable[[Callable[[], None]], None]
"""Registers a listener that is called once the claim of the stage is lost, or at once if it is lost already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EncoderLoad:
    """Counters of an encoder since the worker's start; times in seconds."""

    encoder: str
    batches: int
    entries: int
    cancelled: int
    failed: int
    padding: float  # padded over used samples or tokens
    fill: float  # mean share of the batch budget
    waiting: int
    busy_seconds: float
    wait_p50: float
    wait_p95: float


class AssessmentModel(Protocol):
    """A loaded model; thread-safe once it has been warmed up."""

    @property
    def loaded(self) -> LoadedModel:
        """The loaded bundle."""
        ...

    @property
    def trace(self) -> ModelTrace:
        """The provenance that results carry, for results without a computation."""
        ...

    def warm_up(self) -> None:
        """Do a real forward pass and compare its result with the expected one. Raises ConfigurationRefused."""
        ...

    def prepare(
        self,
        audio: Path | None,
        transcript: bytes | None,
        scratch: Path,
        recording: RecordingOptionFields = None,
        *,
        check: Check = never_lost,
    ) -> Preparation:
        """Decode and cut the recording, of which the client said `recording`. Raises MaterialUnusable.

        `check` is called often and raises FenceLost once the claim of the stage is lost.
        """
        ...

    def encode(self, chunk: bytes, on_lost: OnLost | None = None) -> bytes:
        """The features of a chunk. Raises FenceLost soon after the claim is lost."""
        ...

    def score(self, summary: bytes, features: Sequence[bytes], task: str) -> Result:
        """The result; its outcome is None when the material allows no score."""
        ...

    def load(self) -> tuple[EncoderLoad, ...]:
        """The counters of each encoder."""
        ...

    def close(self) -> None:
        """Stop the threads and free the memory of the model, which is not used afterwards."""
        ...


def unscored_result(task: str, refusal: MaterialUnusable, trace: ModelTrace) -> Result:
    """The result for material that could not be prepared: no score, and the reason as a hard flag."""
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
