"""The stage runner: claim a stage, read its input, compute, store the output, complete the stage."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TypeVar

import structlog
from sqlalchemy.orm import Session

from service.assessments.result import Result
from service.assessments.stages import StageRepository
from service.assessments.states import (
    INTERNAL_FAILURE,
    WORK_LOST,
    Failure,
    StageClaim,
    StageKind,
    State,
    StoredChunk,
)
from service.errors.tree import FenceLost, WorkLost
from service.maintenance.retention import Retention, remove_material, retention
from service.observability.logs import failure_fields
from service.observability.metrics import AUDIO
from service.observability.traces import leaf_span, span
from service.queue.ordering import fetch_claimable
from service.settings import Settings
from service.storage.database import Database, now
from service.storage.objects import ObjectStore, assessment_prefix, result_prefix, work_prefix
from service.storage.retry import UNAVAILABLE, retry_while_unavailable
from service.storage.tables import AssessmentRow
from service.worker.lease_keeper import LeaseKeeper
from service.worker.metrics import count_result
from service.worker.model_protocol import AssessmentModel, MaterialUnusable, unscored_result
from service.worker.stage_telemetry import StageOutcome, record_stage
from service.worker_registry import WorkerIdentity

log = structlog.stdlib.get_logger(__name__)
MAX_CANDIDATES = 8
"""How many of the best stages are tried, since other workers may claim some of them first."""
Value = TypeVar("Value")


@dataclass(frozen=True, slots=True, kw_only=True)
class StageRetryPolicy:
    """Lease, renewal and attempts of a stage, and the retention that applies when its assessment ends."""

    lease: timedelta
    renew_interval: timedelta
    attempts: int
    retry_delay: timedelta
    retention: Retention

    def delay_after(self, attempt: int) -> timedelta:
        """Delay before the next attempt; it doubles with each one."""
        return self.retry_delay * (1 << (attempt - 1))


def stage_retry_policy(settings: Settings) -> StageRetryPolicy:
    """The policy from the settings."""
    return StageRetryPolicy(
        lease=settings.stage_lease,
        renew_interval=settings.lease_renew_interval,
        attempts=settings.stage_max_attempts,
        retry_delay=settings.retry_delay,
        retention=retention(settings),
    )


class StageRunner:
    """Runs stages with one loaded model, one stage in each calling thread; thread-safe."""

    def __init__(
        self,
        database: Database,
        objects: ObjectStore,
        model: AssessmentModel,
        *,
        worker: WorkerIdentity,
        retry: StageRetryPolicy,
        scratch: Path,
    ) -> None:
        self._database = database
        self._objects = objects
        self._model = model
        self._worker = worker.id
        self._digest = model.loaded.digest
        self._kinds = tuple(map(StageKind, worker.queues))
        self._retry = retry
        self._scratch = scratch

    def run(self, stage_id: str, after: str | None = None) -> str | None:
        """Run the best stage of these queues, or else the named one; None when there was nothing to claim.

        Returns the assessment that was worked on. Given back as `after`, its next stages are claimed without a message.
        """
        claim = self._claim(stage_id, after)
        if claim is None:
            return None
        with (
            structlog.contextvars.bound_contextvars(
                request_id=claim.request_id,
                assessment=claim.assessment_id,
                stage=str(claim.kind),
                index=claim.index,
            ),
            record_stage(claim) as telemetry,
        ):
            telemetry.outcome = self._attempt(claim)
        return claim.assessment_id

    def _claim(self, stage_id: str, after: str | None) -> StageClaim | None:
        best = self._database.read(
            lambda session: fetch_claimable(
                session, self._kinds, now(), limit=MAX_CANDIDATES, model=self._digest, after=after
            )
        )
        # The named stage last: unlike those of the query, it may be one whose lease has expired (decision 0031).
        for candidate in dict.fromkeys((*best, stage_id)):
            # A transaction for each: the locks of several assessments in one could deadlock with another worker's.
            if (claim := self._database.write(partial(self._claim_candidate, candidate))) is not None:
                return claim
        return None

    def _claim_candidate(self, stage_id: str, session: Session) -> StageClaim | None:
        return self._stages(session).claim(stage_id, self._retry.lease, self._retry.attempts)

    def _stages(self, session: Session) -> StageRepository:
        return StageRepository(session, self._worker, self._digest)

    def _attempt(self, claim: StageClaim) -> StageOutcome:
        keeper = LeaseKeeper(
            self._database,
            claim,
            worker=self._worker,
            lease=self._retry.lease,
            renew_interval=self._retry.renew_interval,
        )
        try:
            with keeper:
                self._work(claim, keeper)
            log.info("stage done", attempt=claim.attempt)
            return StageOutcome.DONE
        except FenceLost:
            log.info("stage lost", attempt=claim.attempt)
            self._delete_leftovers(claim)
            return StageOutcome.LOST
        except UNAVAILABLE as error:
            log.warning("stage postponed", attempt=claim.attempt, **failure_fields(error))
            self._postpone(claim)
            return StageOutcome.PUT_OFF
        except WorkLost:
            log.warning("stage without its input", attempt=claim.attempt)
            return self._restart(claim)
        except Exception as error:  # whatever it was, the stage is retried and finally fails
            log.error("stage failed", attempt=claim.attempt, **failure_fields(error))
            return self._retry_or_fail(claim)

    def _work(self, claim: StageClaim, keeper: LeaseKeeper) -> None:
        if claim.kind == StageKind.PREPARE:
            self._prepare(claim, keeper)
        elif claim.kind == StageKind.ENCODE:
            self._encode(claim, keeper)
        else:
            self._score(claim)

    def _prepare(self, claim: StageClaim, keeper: LeaseKeeper) -> None:
        with tempfile.TemporaryDirectory(dir=self._scratch) as folder:
            scratch = Path(folder)
            audio, transcript = self._material(claim, scratch / "audio")
            try:
                with span("decode and cut"):
                    preparation = self._model.prepare(audio, transcript, scratch, claim.recording, check=keeper.check)
                    prefix = f"{work_prefix(claim.assessment_id)}/prepare"
                    chunks = []
                    for chunk in preparation.chunks:
                        keeper.check()  # stop a cancelled stage between two chunks
                        key = self._objects.put(prefix, chunk.content)
                        chunks.append(StoredChunk(key=key, segments=chunk.segments))
            except MaterialUnusable as refusal:
                log.info("material unusable", code=refusal.code)
                self._finish(claim, unscored_result(claim.task, refusal, self._model.trace))
                return
        summary_key = self._objects.put(prefix, preparation.summary)
        self._write(lambda stages: stages.complete_prepare(claim, summary_key, chunks, seconds=preparation.seconds))
        # Counted once the stage is committed: an attempt that lost its fence counts nothing (decision 0033).
        AUDIO.inc(preparation.seconds)

    def _material(self, claim: StageClaim, audio: Path) -> tuple[Path | None, bytes | None]:
        """The client's recording, copied to a file, and its transcript."""
        with span("read material"), _required_input():
            if claim.audio_key is not None:
                self._objects.get_to_file(claim.audio_key, audio)
            transcript = None if claim.transcript_key is None else self._objects.get(claim.transcript_key)
        return None if claim.audio_key is None else audio, transcript

    def _encode(self, claim: StageClaim, keeper: LeaseKeeper) -> None:
        if claim.input_key is None:
            raise ValueError("an encode stage has an input")
        with span("read segments"), _required_input():
            chunk = self._objects.get(claim.input_key)
        with span("encode"):
            features = self._model.encode(chunk, keeper.on_lost)
        prefix = f"{work_prefix(claim.assessment_id)}/encode"
        with span("write features"):
            key = retry_while_unavailable(lambda: self._objects.put(prefix, features), self._retry.lease)
        self._write(lambda stages: stages.complete_encode(claim, key))

    def _score(self, claim: StageClaim) -> None:
        inputs = self._database.read(lambda session: self._stages(session).score_inputs(claim))
        with span("read features"), _required_input():
            summary = self._objects.get(inputs.summary_key)
            features = [self._objects.get(key) for key in inputs.feature_keys]
        with span("score"):
            result = self._model.score(summary, features, claim.task)
        self._finish(claim, result)

    def _finish(self, claim: StageClaim, result: Result) -> None:
        with span("write result"):
            key = self._objects.put(result_prefix(claim.assessment_id), result.model_dump_json().encode())
        # Stored before the transaction that names its key, so that a committed result can always be read.
        scored = result.outcome is not None
        self._write(lambda stages: stages.complete_assessment(claim, key, scored=scored))
        count_result(result)
        # Here and not in the sweeper alone, so that the material is gone once the answer is there (decision 0004).
        remove_material(self._database, self._objects, self._retry.retention, claim.assessment_id)

    def _restart(self, claim: StageClaim) -> StageOutcome:
        """Restart from the prepare stage when intermediate objects are gone; a client's own ones cannot be remade."""
        if claim.kind == StageKind.PREPARE:
            return self._retry_or_fail(claim, WORK_LOST)
        try:
            again = self._write(lambda stages: stages.restart(claim, self._retry.attempts))
        except FenceLost:
            self._delete_leftovers(claim)
            return StageOutcome.LOST
        return StageOutcome.FAILED if again else StageOutcome.ABANDONED

    def _retry_or_fail(self, claim: StageClaim, failure: Failure = INTERNAL_FAILURE) -> StageOutcome:
        delay = self._retry.delay_after(claim.attempt)
        try:
            if claim.attempt < self._retry.attempts:
                self._write(lambda stages: stages.retry(claim, delay))
                return StageOutcome.FAILED
            self._write(lambda stages: stages.fail(claim, failure))
        except FenceLost:
            self._delete_leftovers(claim)
            return StageOutcome.LOST
        return StageOutcome.ABANDONED

    def _postpone(self, claim: StageClaim) -> None:
        """Return the stage without counting the attempt: unavailable storage is never the fault of a stage."""
        try:
            # Attempts are counted against stages that kill their worker (decision 0032).
            self._write(lambda stages: stages.retry(claim, self._retry.retry_delay, counted=False))
        except FenceLost:
            self._delete_leftovers(claim)

    def _write(self, write: Callable[[StageRepository], Value]) -> Value:
        """One fenced transaction, retried while the database is unavailable, so that no result is thrown away."""

        def transaction(session: Session) -> Value:
            return write(self._stages(session))

        with leaf_span("complete"):
            return retry_while_unavailable(partial(self._database.write, transaction), self._retry.lease)

    def _delete_leftovers(self, claim: StageClaim) -> None:
        """Delete objects that this attempt wrote after the assessment had ended or was erased."""
        with self._database.reading() as session:
            row = session.get(AssessmentRow, claim.assessment_id)
        if row is None:
            self._objects.delete(assessment_prefix(claim.assessment_id))
        # An assessment that goes on keeps them: keys are digests, so another attempt may have stored the same objects.
        elif State(row.state).final:
            self._objects.delete(work_prefix(claim.assessment_id))


@contextmanager
def _required_input() -> Iterator[None]:
    """Raise WorkLost when an object that the block reads is missing."""
    try:
        yield
    except FileNotFoundError as error:
        raise WorkLost("The input of the stage is missing in the object store.") from error
