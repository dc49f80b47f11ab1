"""Metrics and traces of attempts at stages."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from time import monotonic

from opentelemetry.context import Context
from opentelemetry.trace import SpanKind

from service.assessments.states import StageClaim, StageKind
from service.observability.metrics import STAGE_ATTEMPTS, STAGE_BUSY, STAGE_DURATION, STAGE_WAIT
from service.observability.traces import Attributes, context_from, links_to, mark_failed, record_wait, span


class StageOutcome(StrEnum):
    """The outcome of an attempt."""

    DONE = "done"
    FAILED = "failed"  # and retried
    LOST = "lost"  # cancelled, or claimed by another worker
    PUT_OFF = "put_off"  # the database or object store was unavailable
    ABANDONED = "abandoned"  # its last attempt failed


class StageTelemetry:
    """Holds the outcome of the attempt; `FAILED` until the runner sets it, for attempts that end by an exception."""

    outcome = StageOutcome.FAILED


@contextmanager
def record_stage(claim: StageClaim) -> Iterator[StageTelemetry]:
    """Count and trace the block as an attempt at the claimed stage."""
    # The two moments may come from the clocks of two hosts.
    waited = max(0.0, (claim.claimed_at - claim.ready_at).total_seconds())
    STAGE_ATTEMPTS.labels(stage=claim.kind).inc()
    STAGE_WAIT.labels(stage=claim.kind, priority=claim.priority).observe(waited)
    telemetry, started = StageTelemetry(), monotonic()
    # A batch has thousands of lines, too many for one trace: each begins its own, linked to the submission.
    begins = claim.of_batch and claim.kind == StageKind.PREPARE
    parent = Context() if begins else context_from(claim.traceparent)
    links = links_to(claim.traceparent) if begins else ()
    # Without a parent the wait would begin a trace of its own.
    if not begins:
        record_wait(f"wait {claim.kind}", parent, claim.ready_at, claim.claimed_at)
    name, attributes = f"process {claim.kind}", _attributes(claim, waited)
    with span(name, kind=SpanKind.CONSUMER, parent=parent, links=links, attributes=attributes) as present:
        try:
            yield telemetry
        finally:
            seconds = monotonic() - started
            STAGE_DURATION.labels(stage=claim.kind, outcome=telemetry.outcome).observe(seconds)
            STAGE_BUSY.labels(stage=claim.kind).inc(seconds)
            present.set_attribute("hilbert.stage.outcome", telemetry.outcome)
            if telemetry.outcome in {StageOutcome.FAILED, StageOutcome.ABANDONED}:
                mark_failed(present, telemetry.outcome)


def _attributes(claim: StageClaim, waited: float) -> Attributes:
    return {
        "messaging.system": "hilbert",
        "messaging.operation.type": "process",
        "messaging.operation.name": "process",
        "messaging.destination.name": str(claim.kind),
        "messaging.message.id": claim.stage_id,
        "hilbert.assessment.id": claim.assessment_id,
        "hilbert.assessment.priority": str(claim.priority),
        "hilbert.stage.index": claim.index,
        "hilbert.stage.attempt": claim.attempt,
        "hilbert.stage.wait_seconds": waited,
    }
