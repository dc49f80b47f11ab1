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

SAMPLES = 100
"""So many of the last stages of each kind count."""
HANDOVER_SECONDS = 0.1
"""A stage made within this after its worker became free was not what the worker had to wait for."""
OUTLIERS = 0.05
EVEN_SPREAD = 1e-3


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
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
class Cost:
    """Seconds that a stage takes: a fixed part, and one for each second of sound."""

    fixed: float
    per_second: float

    def of(self, seconds: float, stages: float = 1.0) -> float:
        """Seconds that so many stages with so much sound in all keep a slot."""
        return self.fixed * stages + self.per_second * seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """What stages cost, and what recordings are like; `longest` and `latest` are of the stages seen."""

    costs: Mapping[StageKind, Cost]
    seconds: float
    chunks_per_second: float
    longest: float
    latest: datetime

    def chunks(self, seconds: float) -> float:
        """How many chunks so much sound makes."""
        return max(1.0, seconds * self.chunks_per_second)


def measure(session: Session) -> Pace | None:
    """The pace of the last stages; None until one of each kind was done."""
    return pace_of({kind: _last(session, kind) for kind in StageKind})


def pace_of(samples: Mapping[StageKind, Sequence[Sample]]) -> Pace | None:
    """The pace that samples show, newest first; None where a kind has none."""
    if not all(samples.get(kind) for kind in StageKind):
        return None
    every = [sample for kind in StageKind for sample in samples[kind]]
    turnaround = _turnaround(every, _covered_since(samples.values()))
    known = [sample.seconds for sample in samples[StageKind.PREPARE] if sample.seconds is not None]
    seconds = fmean(known) if known else 0.0
    encoded = sum(sample.seconds or 0.0 for sample in samples[StageKind.ENCODE])
    return Pace(
        costs={kind: _cost(samples[kind], turnaround) for kind in StageKind},
        seconds=seconds,
        chunks_per_second=len(samples[StageKind.ENCODE]) / encoded if encoded else 0.0,
        longest=max(sample.busy for sample in every),
        latest=max(sample.finished_at for sample in every),
    )


def _last(session: Session, kind: StageKind) -> list[Sample]:
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
        .limit(SAMPLES)
    ).all()
    return [
        Sample(
            kind=kind,
            owner=row.owner or "",
            created_at=row.created_at,
            claimed_at=row.claimed_at,
            finished_at=row.finished_at,
            seconds=_share(kind, row.audio_seconds, row.segments, row.segments_total),
        )
        for row in rows
    ]


def _share(kind: StageKind, seconds: float | None, segments: int, total: int | None) -> float | None:
    if seconds is None or kind != StageKind.ENCODE or not total:
        return seconds
    return seconds * segments / total


def _cost(samples: Sequence[Sample], turnaround: float) -> Cost:
    """Least squares, with no part below zero; where all have about as much sound, a cost for each second of it.

    The mean of what was measured stays the mean of what is expected, whatever becomes of the line.
    """
    known = [(sample.seconds, sample.busy) for sample in samples if sample.seconds is not None]
    mean_busy = fmean(sample.busy for sample in samples)
    mean_seconds = fmean(seconds for seconds, _ in known) if known else 0.0
    if not mean_seconds:
        return Cost(fixed=mean_busy + turnaround, per_second=0.0)
    spread = fmean((seconds - mean_seconds) ** 2 for seconds, _ in known)
    if spread <= EVEN_SPREAD * mean_seconds**2:
        return Cost(fixed=turnaround, per_second=mean_busy / mean_seconds)
    together = fmean((seconds - mean_seconds) * (busy - mean_busy) for seconds, busy in known)
    slope = min(max(0.0, together / spread), mean_busy / mean_seconds)
    return Cost(fixed=mean_busy - slope * mean_seconds + turnaround, per_second=slope)


def _covered_since(samples: Iterable[Sequence[Sample]]) -> datetime | None:
    """Since when every stage is among the samples; None when all there ever were are."""
    starts = [min(sample.finished_at for sample in kind) for kind in samples if len(kind) >= SAMPLES]
    return max(starts, default=None)


def _turnaround(samples: Iterable[Sample], since: datetime | None) -> float:
    """Seconds between a stage's end and the claim of the next one by the same worker, when that one was waiting."""
    by_owner: dict[str, list[Sample]] = {}
    for sample in samples:
        by_owner.setdefault(sample.owner, []).append(sample)
    gaps = sorted(gap for own in by_owner.values() for gap in _gaps(own, since))
    if not gaps:
        return 0.0
    usual = gaps[: max(1, round(len(gaps) * (1 - OUTLIERS)))]
    return fmean(usual)


def _gaps(own: list[Sample], since: datetime | None) -> Iterable[float]:
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
