"""How fast work is done: what stages of each kind have cost lately, measured on the stages themselves."""

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
"""So many of the last stages of each kind count."""
HANDOVER_SECONDS = 0.1
"""A stage made within this after its worker became free was not what the worker had to wait for."""
OUTLIER_SHARE = 0.05
MIN_RELATIVE_VARIANCE = 1e-3


@dataclass(frozen=True, slots=True, kw_only=True)
class StageSample:
    """One stage that was done; `seconds` is how much sound it had to do with, as far as that is known."""

    kind: StageKind
    owner: str
    created_at: datetime
    claimed_at: datetime
    finished_at: datetime
    seconds: float | None

    @property
    def busy(self) -> float:
        """Seconds that it kept a slot of its worker."""
        return max(0.0, (self.finished_at - self.claimed_at).total_seconds())


@dataclass(frozen=True, slots=True, kw_only=True)
class StageCost:
    """Seconds that a stage takes: a fixed part, and one for each second of sound."""

    fixed: float
    per_second: float

    def of(self, seconds: float, stages: float = 1.0) -> float:
        """Seconds that so many stages with so much sound in all keep a slot."""
        return self.fixed * stages + self.per_second * seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Throughput:
    """What stages cost, and what recordings are like; `longest` and `latest` are of the stages seen."""

    costs: Mapping[StageKind, StageCost]
    seconds: float
    chunks_per_second: float
    longest: float
    latest: datetime

    def chunks(self, seconds: float) -> float:
        """How many chunks so much sound makes."""
        return max(1.0, seconds * self.chunks_per_second)


def measure_throughput(session: Session) -> Throughput | None:
    """The pace of the last stages; None until one of each kind was done."""
    return throughput_from_samples({kind: _last_samples(session, kind) for kind in StageKind})


def throughput_from_samples(samples: Mapping[StageKind, Sequence[StageSample]]) -> Throughput | None:
    """The pace that samples show, newest first; None where a kind has none."""
    if not all(samples.get(kind) for kind in StageKind):
        return None
    every = [sample for kind in StageKind for sample in samples[kind]]
    turnaround = _turnaround(every, _complete_since(samples.values()))
    known = [sample.seconds for sample in samples[StageKind.PREPARE] if sample.seconds is not None]
    seconds = fmean(known) if known else 0.0
    encoded = sum(sample.seconds or 0.0 for sample in samples[StageKind.ENCODE])
    return Throughput(
        costs={kind: _fit_cost(samples[kind], turnaround) for kind in StageKind},
        seconds=seconds,
        chunks_per_second=len(samples[StageKind.ENCODE]) / encoded if encoded else 0.0,
        longest=max(sample.busy for sample in every),
        latest=max(sample.finished_at for sample in every),
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
            seconds=_audio_share(kind, row.audio_seconds, row.segments, row.segments_total),
        )
        for row in rows
    ]


def _audio_share(kind: StageKind, seconds: float | None, segments: int, total: int | None) -> float | None:
    if seconds is None or kind != StageKind.ENCODE or not total:
        return seconds
    return seconds * segments / total


def _fit_cost(samples: Sequence[StageSample], turnaround: float) -> StageCost:
    """Least squares, with no part below zero; where all have about as much sound, a cost for each second of it.

    The mean of what was measured stays the mean of what is expected, whatever becomes of the line.
    """
    known = [(sample.seconds, sample.busy) for sample in samples if sample.seconds is not None]
    mean_busy = fmean(sample.busy for sample in samples)
    mean_seconds = fmean(seconds for seconds, _ in known) if known else 0.0
    if not mean_seconds:
        return StageCost(fixed=mean_busy + turnaround, per_second=0.0)
    spread = fmean((seconds - mean_seconds) ** 2 for seconds, _ in known)
    if spread <= MIN_RELATIVE_VARIANCE * mean_seconds**2:
        return StageCost(fixed=turnaround, per_second=mean_busy / mean_seconds)
    together = fmean((seconds - mean_seconds) * (busy - mean_busy) for seconds, busy in known)
    slope = min(max(0.0, together / spread), mean_busy / mean_seconds)
    return StageCost(fixed=mean_busy - slope * mean_seconds + turnaround, per_second=slope)


def _complete_since(samples: Iterable[Sequence[StageSample]]) -> datetime | None:
    """Since when every stage is among the samples; None when all there ever were are."""
    starts = [min(sample.finished_at for sample in kind) for kind in samples if len(kind) >= MAX_SAMPLES]
    return max(starts, default=None)


def _turnaround(samples: Iterable[StageSample], since: datetime | None) -> float:
    """Seconds between a stage's end and the claim of the next one by the same worker, when that one was waiting."""
    by_owner: dict[str, list[StageSample]] = {}
    for sample in samples:
        by_owner.setdefault(sample.owner, []).append(sample)
    gaps = sorted(gap for own in by_owner.values() for gap in _handover_gaps(own, since))
    if not gaps:
        return 0.0
    usual = gaps[: max(1, round(len(gaps) * (1 - OUTLIER_SHARE)))]
    return fmean(usual)


def _handover_gaps(own: list[StageSample], since: datetime | None) -> Iterable[float]:
    """Each claim belongs to the latest end before it that no other claim has taken."""
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
            continue
        if (sample.created_at - end).total_seconds() <= HANDOVER_SECONDS:
            yield (sample.claimed_at - end).total_seconds()
