"""Stages for workers: claim, renew, complete, retry, reclaim. Every write is conditional on the fence.

Order of locks: a transaction that writes several rows of an assessment locks the assessment row first. Two workers that
finish the last two chunks at the same time therefore see each other, and transactions cannot deadlock.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, func, or_, select, update
from sqlalchemy.orm import Session

from service.assessments.lifecycle import finish, record_change, restart
from service.assessments.states import (
    FINAL_STATES,
    WORK_LOST,
    Failure,
    Priority,
    ScoreInputs,
    StageClaim,
    StageKind,
    StageState,
    State,
    StoredChunk,
)
from service.errors.tree import FenceLost
from service.observability.metrics import TAKEN_BACK
from service.observability.traces import current_traceparent
from service.storage.database import after_commit, now
from service.storage.lease import is_claimable, is_claimed, is_expired
from service.storage.tables import AssessmentRow, StageRow, WorkerRow


def new_stage(
    assessment_id: str, kind: StageKind, index: int, *, input_key: str | None = None, segments: int = 0
) -> StageRow:
    """A stage that is ready to be published, with the current span as its parent."""
    return StageRow(
        id=str(uuid.uuid4()),
        assessment_id=assessment_id,
        kind=kind,
        index=index,
        state=StageState.READY,
        segments=segments,
        fence=0,
        attempt=0,
        created_at=now(),
        input_key=input_key,
        traceparent=current_traceparent(),
    )


class StageRepository:
    """The stages of all tenants, for one worker.

    `model` is the digest of the loaded model: an assessment is completed by the model that started it.
    """

    def __init__(self, session: Session, worker: str, model: str | None = None) -> None:
        self._session = session
        self._worker = worker
        self._model = model

    def claim(self, stage_id: str, lease: timedelta, attempts: int) -> StageClaim | None:
        """Claim a stage that is ready or whose lease has expired; None when it cannot be claimed."""
        stage = self._session.get(StageRow, stage_id)
        assessment = None if stage is None else self._lock(stage.assessment_id)
        if (
            stage is None
            or assessment is None
            or assessment.state in FINAL_STATES
            or not self._model_matches(assessment)
        ):
            return None
        # Read before the update, which sets what it is read from.
        moment, ready_at = now(), _ready_at(stage)
        claimed = self._take(stage_id, moment, lease, attempts)
        if claimed is None:
            return None
        # Not for a further attempt, which clients cannot tell from the first.
        if claimed.kind == StageKind.PREPARE and assessment.state == State.QUEUED:
            assessment.state = State.PREPARING
            record_change(assessment)
        return StageClaim(
            stage_id=stage_id,
            assessment_id=assessment.id,
            kind=StageKind(claimed.kind),
            index=claimed.index,
            fence=claimed.fence,
            attempt=claimed.attempt,
            input_key=claimed.input_key,
            task=assessment.task,
            request_id=assessment.request_id,
            audio_key=assessment.audio_key,
            transcript_key=assessment.transcript_key,
            priority=Priority(assessment.priority),
            ready_at=ready_at,
            claimed_at=moment,
            traceparent=stage.traceparent,
            of_batch=assessment.batch_id is not None,
            recording=assessment.recording,
        )

    def _take(self, stage_id: str, moment: datetime, lease: timedelta, attempts: int) -> StageRow | None:
        """Lease the stage in one statement, so that of several workers exactly one has it; None when it is not free."""
        return self._session.scalars(
            update(StageRow)
            .where(
                StageRow.id == stage_id,
                # A stage without attempts left is not claimed when its lease expires: the sweeper fails its assessment.
                StageRow.attempt < attempts,
                is_claimable(StageRow, StageState.READY, moment),
            )
            .values(
                state=StageState.LEASED,
                fence=StageRow.fence + 1,
                attempt=StageRow.attempt + 1,
                owner=self._worker,
                claimed_at=moment,
                lease_until=moment + lease,
            )
            .returning(StageRow)
            .execution_options(synchronize_session=False, populate_existing=True)
        ).one_or_none()

    def renew(self, claim: StageClaim, lease: timedelta) -> bool:
        """Extend the lease; False when the stage was cancelled or claimed by another worker, so that work must stop."""
        renewed = self._session.scalars(
            update(StageRow)
            .where(is_claimed(StageRow, claim.stage_id, claim.fence))
            .values(lease_until=now() + lease)
            .returning(StageRow.id)
            .execution_options(synchronize_session=False)
        ).all()
        return bool(renewed)

    def complete_prepare(
        self, claim: StageClaim, summary_key: str, chunks: Sequence[StoredChunk], *, seconds: float
    ) -> None:
        """Insert an encode stage for each chunk, or the score stage without chunks. Raises FenceLost.

        `seconds` is the duration of the decoded recording; it replaces the estimate.
        """
        assessment = self._complete_stage(claim, summary_key)
        assessment.audio_seconds = seconds
        assessment.segments_total = sum(chunk.segments for chunk in chunks)
        assessment.state = State.ENCODING if chunks else State.SCORING
        stages = [
            new_stage(claim.assessment_id, StageKind.ENCODE, index, input_key=chunk.key, segments=chunk.segments)
            for index, chunk in enumerate(chunks)
        ]
        self._session.add_all(stages or [new_stage(claim.assessment_id, StageKind.SCORE, 0)])

    def complete_encode(self, claim: StageClaim, features_key: str) -> None:
        """Complete a chunk; the last chunk inserts the score stage. Raises FenceLost."""
        assessment = self._complete_stage(claim, features_key)
        encodes = (StageRow.assessment_id == claim.assessment_id, StageRow.kind == StageKind.ENCODE)
        done = (*encodes, StageRow.state == StageState.DONE)
        # Summed from the stages and not incremented: a restart or a repeated transaction cannot make it drift.
        assessment.segments_done = self._session.scalar(select(func.sum(StageRow.segments)).where(*done)) or 0
        open_stages = self._session.scalar(
            select(func.count()).select_from(StageRow).where(*encodes, StageRow.state != StageState.DONE)
        )
        if not open_stages:
            assessment.state = State.SCORING
            self._session.add(new_stage(claim.assessment_id, StageKind.SCORE, 0))

    def complete_assessment(self, claim: StageClaim, result_key: str, *, scored: bool) -> None:
        """Finish the assessment with a result that is in the store. Raises FenceLost."""
        assessment = self._complete_stage(claim, result_key)
        assessment.result_key = result_key
        if claim.kind == StageKind.PREPARE:
            # Decoding refused the file, so the duration is what its header claimed: no measure of the work.
            assessment.audio_seconds = None
        finish(self._session, assessment, State.SUCCEEDED if scored else State.ABSTAINED)

    def score_inputs(self, claim: StageClaim) -> ScoreInputs:
        """The keys of the objects that the earlier stages stored for scoring."""
        rows = self._session.execute(
            select(StageRow.kind, StageRow.output_key)
            .where(StageRow.assessment_id == claim.assessment_id, StageRow.kind != StageKind.SCORE)
            .order_by(StageRow.index)
        ).all()
        summary = next(row.output_key for row in rows if row.kind == StageKind.PREPARE)
        features = tuple(row.output_key for row in rows if row.kind == StageKind.ENCODE)
        return ScoreInputs(summary_key=summary, feature_keys=features)

    def retry(self, claim: StageClaim, delay: timedelta, *, counted: bool = True) -> None:
        """Make the stage claimable again after `delay`; uncounted, the attempt is not used up. Raises FenceLost."""
        self._write_fenced(
            claim,
            state=StageState.READY,
            owner=None,
            lease_until=None,
            # Unpublished, so that the publisher sends a message when the delay is over.
            enqueued_at=None,
            not_before=now() + delay,
            attempt=claim.attempt if counted else claim.attempt - 1,
        )

    def fail(self, claim: StageClaim, failure: Failure) -> None:
        """Fail the stage and its assessment; the other stages are cancelled. Raises FenceLost."""
        assessment = self._lock(claim.assessment_id)
        self._write_fenced(claim, state=StageState.FAILED, lease_until=None)
        if assessment is not None:
            finish(self._session, assessment, State.FAILED, failure)

    def restart(self, claim: StageClaim, attempts: int) -> bool:
        """Restart the assessment because an object of an earlier stage is missing.

        Returns False when the prepare stage has used up its attempts and the assessment failed. Raises FenceLost.
        """
        assessment = self._lock(claim.assessment_id)
        self._write_fenced(claim, state=StageState.FAILED, lease_until=None)
        if assessment is None or assessment.state in FINAL_STATES:
            raise FenceLost("The assessment has ended.")
        own = (StageRow.assessment_id == assessment.id, StageRow.kind == StageKind.PREPARE)
        # The count survives the restart, so an object that vanishes each time does not loop for ever (decision 0041).
        spent = self._session.scalars(select(StageRow.attempt).where(*own)).one()
        if spent >= attempts:
            finish(self._session, assessment, State.FAILED, WORK_LOST)
            return False
        return restart(self._session, assessment, WORK_LOST, attempt=spent)

    def is_held(self, claim: StageClaim) -> bool:
        """Whether the claim is still valid; does not renew it."""
        return (
            self._session.scalar(select(StageRow.id).where(is_claimed(StageRow, claim.stage_id, claim.fence)))
            is not None
        )

    def stalled(self, worker_timeout: timedelta, limit: int) -> list[str]:
        """Ids of stages whose lease expired or whose worker sent no heartbeat for `worker_timeout`."""
        query = (
            select(StageRow.id)
            .where(StageRow.state == StageState.LEASED, _lost(worker_timeout))
            .order_by(StageRow.lease_until)
            .limit(limit)
        )
        return list(self._session.scalars(query))

    def reclaim(
        self, stage_id: str, worker_timeout: timedelta, attempts: int, failure: Failure
    ) -> AssessmentRow | None:
        """Make a stalled stage ready again, or fail its assessment when it has used up its attempts.

        Returns the assessment; None when the stage is no longer stalled.
        """
        stage = self._session.get(StageRow, stage_id)
        assessment = None if stage is None else self._lock(stage.assessment_id)
        if stage is None or assessment is None:
            return None
        # Read again under the lock: the worker may have renewed or completed the stage since it was found.
        self._session.refresh(stage, with_for_update=True)
        still = select(StageRow.id).where(
            StageRow.id == stage_id, StageRow.state == StageState.LEASED, _lost(worker_timeout)
        )
        if self._session.scalar(still) is None:
            return None
        stage.lease_until = None
        stage.owner = None
        stage.enqueued_at = None
        # The lost attempt stays counted, because the stage itself may have killed its worker (decision 0032).
        if stage.attempt < attempts:
            stage.state = StageState.READY
        else:
            stage.state = StageState.FAILED
            finish(self._session, assessment, State.FAILED, failure)
        after_commit(self._session, TAKEN_BACK.inc)
        return assessment

    def _lock(self, assessment_id: str) -> AssessmentRow | None:
        return self._session.scalars(
            select(AssessmentRow)
            .where(AssessmentRow.id == assessment_id)
            .with_for_update()
            # Without this SQLAlchemy would return the row as the session read it before the lock.
            .execution_options(populate_existing=True)
        ).one_or_none()

    def _complete_stage(self, claim: StageClaim, output_key: str) -> AssessmentRow:
        assessment = self._lock(claim.assessment_id)
        if assessment is None or assessment.state in FINAL_STATES:
            raise FenceLost("The assessment has ended.")
        if not self._model_matches(assessment):
            raise FenceLost("The assessment continues with another model.")
        self._write_fenced(claim, state=StageState.DONE, output_key=output_key, lease_until=None, finished_at=now())
        # The first completed stage binds the assessment to its model (decision 0040).
        assessment.model_digest = self._model
        record_change(assessment)
        return assessment

    def _model_matches(self, assessment: AssessmentRow) -> bool:
        return assessment.model_digest in (None, self._model)

    def _write_fenced(self, claim: StageClaim, **values: object) -> None:
        written = self._session.scalars(
            update(StageRow)
            .where(is_claimed(StageRow, claim.stage_id, claim.fence))
            .values(**values)
            .returning(StageRow.id)
            .execution_options(synchronize_session=False)
        ).all()
        if not written:
            raise FenceLost("Another attempt holds the stage, or it was cancelled.")


def _ready_at(stage: StageRow) -> datetime:
    """Since when the stage could be claimed; for a reclaimed stage, since it was published again."""
    if stage.state == StageState.LEASED and stage.lease_until is not None:
        return stage.lease_until
    if stage.not_before is not None and (stage.claimed_at is None or stage.not_before >= stage.claimed_at):
        return max(stage.created_at, stage.not_before)
    return (
        stage.created_at if stage.claimed_at is None else max(stage.claimed_at, stage.enqueued_at or stage.claimed_at)
    )


def _lost(worker_timeout: timedelta) -> ColumnElement[bool]:
    """An expired lease, or a worker without a heartbeat: a dead worker is noticed long before its leases expire.

    A worker that was only suspended fails at the fence.
    """
    silent = select(WorkerRow.id).where(WorkerRow.beat_at < now() - worker_timeout)
    return or_(is_expired(StageRow, now()), StageRow.owner.in_(silent))
