"""The throughput of the workers: what the last stages of each kind have cost, measured on their own rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import fmean

from sqlalchemy import select
from sqlalchemy.orm import Session

from service.assessments.states import StageKind, StageState
from service.storage.tables import AssessmentRow, StageRow

MAX_SAMPLES = 100
"""Stages of each kind that are measured, the last ones. More would react too slowly to a new model or more workers."""
HANDOVER_SECONDS = 0.1
"""A stage created later than this after the worker's last one was not waiting: the worker was idle until it came."""
OUTLIER_SHARE = 0.05
"""Share of the longest handovers that is left out: a worker that restarts hands over minutes later."""
MIN_RELATIVE_VARIANCE = 1e-3
"""Below this variance of the lengths, relative to the squared mean, a line through the samples has no stable slope."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StageSample:
    """One completed stage; `audio_seconds` is the share of the recording that it processed, None when unknown."""

    kind: StageKind
    owner: str
    created_at: datetime
    claimed_at: datetime
    finished_at: datetime
    audio_seconds: float | None

    @property
    def busy_seconds(self) -> float:
        """How long the stage occupied a slot of its worker."""
        return max(0.0, (self.finished_at - self.claimed_at).total_seconds())


@dataclass(frozen=True, slots=True, kw_only=True)
class StageCost:
    """Seconds that a stage occupies a slot: a fixed part for each stage, and a part for each second of audio."""

    fixed: float
    per_audio_second: float

    def seconds_for(self, audio_seconds: float, stages: float = 1.0) -> float:
        """Slot seconds of this many stages with this much audio in all."""
        return self.fixed * stages + self.per_audio_second * audio_seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Throughput:
    """Costs of the stages and the usual recording, from the samples; times in seconds."""

    stage_costs: Mapping[StageKind, StageCost]
    mean_audio_seconds: float
    chunks_per_audio_second: float
    longest_stage_seconds: float
    last_finished_at: datetime

    def chunks(self, audio_seconds: float) -> float:
        """Expected number of encode stages of a recording of this length."""
        return max(1.0, audio_seconds * self.chunks_per_audio_second)


def measure_throughput(session: Session) -> Throughput | None:
    """The throughput of the last completed stages; None until one of each kind has been completed."""
    return throughput_from_samples({kind: _last_samples(session, kind) for kind in StageKind})


def throughput_from_samples(samples: Mapping[StageKind, Sequence[StageSample]]) -> Throughput | None:
    """The throughput that samples show, newest first; None when a kind has no sample."""
    if not all(samples.get(kind) for kind in StageKind):
        return None
    every = [sample for kind in StageKind for sample in samples[kind]]
    turnaround = _turnaround(every, _complete_since(samples.values()))
    known = [sample.audio_seconds for sample in samples[StageKind.PREPARE] if sample.audio_seconds is not None]
    encoded = sum(sample.audio_seconds or 0.0 for sample in samples[StageKind.ENCODE])
    return Throughput(
        stage_costs={kind: _fit_cost(samples[kind], turnaround) for kind in StageKind},
        mean_audio_seconds=fmean(known) if known else 0.0,
        chunks_per_audio_second=len(samples[StageKind.ENCODE]) / encoded if encoded else 0.0,
        longest_stage_seconds=max(sample.busy_seconds for sample in every),
        last_finished_at=max(sample.finished_at for sample in every),
    )


def _last_samples(session: Session, kind: StageKind) -> list[StageSample]:
    rows = session.execute(
        select(
            StageRow.owner,
            StageRow.created_at,
            StageRow.claimed_at,
            StageRow.finished_at,
            StageRow.segments,
            AssessmentRow.audio_seconds,
            AssessmentRow.segments_total,
        )
        .join(AssessmentRow, AssessmentRow.id == StageRow.assessment_id)
        .where(
            StageRow.kind == kind,
            StageRow.finished_at.is_not(None),
            StageRow.claimed_at.is_not(None),
            StageRow.state == StageState.DONE,
        )
        # Served by the index ix_stage_pace (kind, finished_at), so the cost does not grow with the table.
        .order_by(StageRow.finished_at.desc())
        .limit(MAX_SAMPLES)
    ).all()
    return [
        StageSample(
            kind=kind,
            owner=row.owner or "",
            created_at=row.created_at,
            claimed_at=row.claimed_at,
            finished_at=row.finished_at,
            audio_seconds=_audio_share(kind, row.audio_seconds, row.segments, row.segments_total),
        )
        for row in rows
    ]


def _audio_share(kind: StageKind, seconds: float | None, segments: int, total: int | None) -> float | None:
    """Seconds of audio that a stage processed: all of it, but for the chunk of an encode stage."""
    if seconds is None or kind != StageKind.ENCODE or not total:
        return seconds
    return seconds * segments / total


def _fit_cost(samples: Sequence[StageSample], turnaround: float) -> StageCost:
    """Ordinary least squares of busy seconds on audio seconds, with neither part below zero, plus the turnaround.

    When all samples are about equally long the slope is undetermined, and the whole cost counts per second of audio. In
    each case the mean of the expected costs equals the mean of the measured ones.
    """
    known = [(sample.audio_seconds, sample.busy_seconds) for sample in samples if sample.audio_seconds is not None]
    mean_busy = fmean(sample.busy_seconds for sample in samples)
    mean_seconds = fmean(seconds for seconds, _ in known) if known else 0.0
    if not mean_seconds:
        return StageCost(fixed=mean_busy + turnaround, per_audio_second=0.0)
    variance = fmean((seconds - mean_seconds) ** 2 for seconds, _ in known)
    if variance <= MIN_RELATIVE_VARIANCE * mean_seconds**2:
        return StageCost(fixed=turnaround, per_audio_second=mean_busy / mean_seconds)
    covariance = fmean((seconds - mean_seconds) * (busy - mean_busy) for seconds, busy in known)
    # At most the slope of a line through the origin: a steeper one would have a negative fixed part.
    slope = min(max(0.0, covariance / variance), mean_busy / mean_seconds)
    return StageCost(fixed=mean_busy - slope * mean_seconds + turnaround, per_audio_second=slope)


def _complete_since(samples: Iterable[Sequence[StageSample]]) -> datetime | None:
    """The moment since which the samples hold every stage; None when they hold all stages that there ever were."""
    starts = [min(sample.finished_at for sample in kind) for kind in samples if len(kind) >= MAX_SAMPLES]
    return max(starts, default=None)


def _turnaround(samples: Iterable[StageSample], since: datetime | None) -> float:
    """Mean seconds from the end of a stage to the same worker's next claim, while that stage was already waiting."""
    by_owner: dict[str, list[StageSample]] = {}
    for sample in samples:
        by_owner.setdefault(sample.owner, []).append(sample)
    handovers = sorted(seconds for own in by_owner.values() for seconds in _handovers(own, since))
    if not handovers:
        return 0.0
    return fmean(handovers[: max(1, round(len(handovers) * (1 - OUTLIER_SHARE)))])


def _handovers(own: list[StageSample], since: datetime | None) -> Iterable[float]:
    """Seconds of each handover of one worker; a claim is paired with the latest end before it that is still unpaired.

    A worker with several slots ends and claims stages in any order, so consecutive stages cannot simply be paired.
    """
    ends = sorted(sample.finished_at for sample in own)
    free: list[datetime] = []
    following = 0
    for sample in sorted(own, key=lambda sample: sample.claimed_at):
        while following < len(ends) and ends[following] <= sample.claimed_at:
            free.append(ends[following])
            following += 1
        if not free:
            continue
        end = free.pop()
        if since is not None and end < since:
            continue  # the worker may have run a stage in between that is not among the samples
        if (sample.created_at - end).total_seconds() <= HANDOVER_SECONDS:
            yield (sample.claimed_at - end).total_seconds()
