"""Stages as workers see them: claim, renew, complete, retry. Every write is guarded by the fence.

Whoever touches several rows of an assessment locks its assessment row first; so two workers that finish the
last two chunks at once cannot both miss that they were the last, and no order of locks can deadlock.
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
    """A stage that is ready to be published; it follows from the present span."""
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
    """Every stage, on behalf of one worker, which signs its claims with its name.

    `model` is the digest of what the worker has loaded: an assessment is gone on with by the model it has begun with.
    """

    def __init__(self, session: Session, worker: str, model: str | None = None) -> None:
        self._session = session
        self._worker = worker
        self._model = model

    def claim(self, stage_id: str, lease: timedelta, attempts: int) -> StageClaim | None:
        """Take a stage that is ready, or whose lease has run out; None when it is not to be had."""
        stage = self._session.get(StageRow, stage_id)
        assessment = None if stage is None else self._lock(stage.assessment_id)
        if (
            stage is None
            or assessment is None
            or assessment.state in FINAL_STATES
            or not self._model_matches(assessment)
        ):
            return None
        moment, ready_at = now(), _ready_at(stage)
        claimed = self._session.execute(
            update(StageRow)
            .where(
                StageRow.id == stage_id,
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
            .returning(StageRow.kind, StageRow.index, StageRow.fence, StageRow.attempt, StageRow.input_key)
            .execution_options(synchronize_session=False)
        ).one_or_none()
        if claimed is None:
            return None
        kind, index, fence, attempt, input_key = claimed
        if kind == StageKind.PREPARE and assessment.state == State.QUEUED:
            assessment.state = State.PREPARING
            record_change(assessment)
        return StageClaim(
            stage_id=stage_id,
            assessment_id=assessment.id,
            kind=StageKind(kind),
            index=index,
            fence=fence,
            attempt=attempt,
            input_key=input_key,
            task=assessment.task,
            request_id=assessment.request_id,
            audio_key=assessment.audio_key,
            transcript_key=assessment.transcript_key,
            priority=Priority(assessment.priority),
            ready_at=ready_at,
            claimed_at=moment,
            traceparent=stage.traceparent,
            of_batch=assessment.batch_id is not None,
        )

    def renew(self, claim: StageClaim, lease: timedelta) -> bool:
        """Extend the lease; False when the stage was cancelled or taken over: stop working on it."""
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
        """The chunks become encode stages; without any, scoring comes next. Raises FenceLost.

        `seconds` is how long the recording is, now that it has been decoded.
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
        """Done with a chunk; the last one brings the score stage. Raises FenceLost."""
        assessment = self._complete_stage(claim, features_key)
        encodes = (StageRow.assessment_id == claim.assessment_id, StageRow.kind == StageKind.ENCODE)
        done = (*encodes, StageRow.state == StageState.DONE)
        assessment.segments_done = self._session.scalar(select(func.sum(StageRow.segments)).where(*done)) or 0
        open_stages = self._session.scalar(
            select(func.count()).select_from(StageRow).where(*encodes, StageRow.state != StageState.DONE)
        )
        if not open_stages:
            assessment.state = State.SCORING
            self._session.add(new_stage(claim.assessment_id, StageKind.SCORE, 0))

    def complete_assessment(self, claim: StageClaim, result_key: str, *, scored: bool) -> None:
        """The result is stored and the assessment ends. Raises FenceLost."""
        assessment = self._complete_stage(claim, result_key)
        assessment.result_key = result_key
        finish(self._session, assessment, State.SUCCEEDED if scored else State.ABSTAINED)

    def score_inputs(self, claim: StageClaim) -> ScoreInputs:
        """What the stages before left for scoring."""
        rows = self._session.execute(
            select(StageRow.kind, StageRow.output_key)
            .where(StageRow.assessment_id == claim.assessment_id, StageRow.kind != StageKind.SCORE)
            .order_by(StageRow.index)
        ).all()
        summary = next(row.output_key for row in rows if row.kind == StageKind.PREPARE)
        features = tuple(row.output_key for row in rows if row.kind == StageKind.ENCODE)
        return ScoreInputs(summary_key=summary, feature_keys=features)

    def retry(self, claim: StageClaim, delay: timedelta, *, counted: bool = True) -> None:
        """After an error: let the stage be tried again once the delay is over. Raises FenceLost."""
        self._write_fenced(
            claim,
            state=StageState.READY,
            owner=None,
            lease_until=None,
            enqueued_at=None,
            not_before=now() + delay,
            attempt=claim.attempt if counted else claim.attempt - 1,
        )

    def fail(self, claim: StageClaim, failure: Failure) -> None:
        """Give up: the stage and its assessment fail, the other stages are dropped. Raises FenceLost."""
        assessment = self._lock(claim.assessment_id)
        self._write_fenced(claim, state=StageState.FAILED, lease_until=None)
        if assessment is not None:
            finish(self._session, assessment, State.FAILED, failure)

    def restart(self, claim: StageClaim, attempts: int) -> bool:
        """What the stages before had left is gone: prepare it anew. False when that was done so often that it fails.

        Raises FenceLost.
        """
        assessment = self._lock(claim.assessment_id)
        self._write_fenced(claim, state=StageState.FAILED, lease_until=None)
        if assessment is None or assessment.state in FINAL_STATES:
            raise FenceLost("The assessment has ended.")
        own = (StageRow.assessment_id == assessment.id, StageRow.kind == StageKind.PREPARE)
        spent = self._session.scalars(select(StageRow.attempt).where(*own)).one()
        if spent >= attempts:
            finish(self._session, assessment, State.FAILED, WORK_LOST)
            return False
        return restart(self._session, assessment, WORK_LOST, attempt=spent)

    def is_held(self, claim: StageClaim) -> bool:
        """Whether the claim still stands; looks, without renewing it."""
        return (
            self._session.scalar(select(StageRow.id).where(is_claimed(StageRow, claim.stage_id, claim.fence)))
            is not None
        )

    def stalled(self, worker_timeout: timedelta, limit: int) -> list[str]:
        """Stages whose lease ran out, or whose worker was not heard of for `worker_timeout`."""
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
        """Make a lost stage ready again, or fail its assessment when it has used up its attempts.

        Returns whose stage it was; None when it was not lost any more.
        """
        stage = self._session.get(StageRow, stage_id)
        assessment = None if stage is None else self._lock(stage.assessment_id)
        if stage is None or assessment is None:
            return None
        self._session.refresh(stage, with_for_update=True)
        still = select(StageRow.id).where(
            StageRow.id == stage_id, StageRow.state == StageState.LEASED, _lost(worker_timeout)
        )
        if self._session.scalar(still) is None:
            return None
        stage.lease_until = None
        stage.owner = None
        stage.enqueued_at = None
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
            .execution_options(populate_existing=True)
        ).one_or_none()

    def _complete_stage(self, claim: StageClaim, output_key: str) -> AssessmentRow:
        assessment = self._lock(claim.assessment_id)
        if assessment is None or assessment.state in FINAL_STATES:
            raise FenceLost("The assessment has ended.")
        if not self._model_matches(assessment):
            raise FenceLost("The assessment goes on with another model.")
        self._write_fenced(claim, state=StageState.DONE, output_key=output_key, lease_until=None, finished_at=now())
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
    """Since when the stage could have been claimed; of one that lost its worker, when workers were told of it again."""
    if stage.state == StageState.LEASED and stage.lease_until is not None:
        return stage.lease_until
    if stage.not_before is not None and (stage.claimed_at is None or stage.not_before >= stage.claimed_at):
        return max(stage.created_at, stage.not_before)
    return (
        stage.created_at if stage.claimed_at is None else max(stage.claimed_at, stage.enqueued_at or stage.claimed_at)
    )


def _lost(worker_timeout: timedelta) -> ColumnElement[bool]:
    """A dead worker is silent long before its leases run out; one that only slept meets the fence."""
    silent = select(WorkerRow.id).where(WorkerRow.beat_at < now() - worker_timeout)
    return or_(is_expired(StageRow, now()), StageRow.owner.in_(silent))
