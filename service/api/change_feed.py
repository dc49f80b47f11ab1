"""Push changes of assessments to all subscribers of this process, with one query per poll for all of them.

The feed lives in the event loop and reads the database from a thread. It polls only while there are subscribers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import structlog

from service.admission.queue_position import QueuePosition, QueuePositions
from service.assessments.repository import changed_since
from service.assessments.states import Assessment
from service.observability.logs import failure_fields
from service.storage.database import Database

log = structlog.stdlib.get_logger(__name__)
POLL_SECONDS = 0.25
KEEP_ALIVE_SECONDS = 15.0
RETRY_SECONDS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class AssessmentChange:
    """An assessment after a change, and its position in the queue."""

    assessment: Assessment
    queue_position: QueuePosition


class ChangeSubscription:
    """The changes of one assessment; a subscriber that reads slowly gets only the latest."""

    def __init__(self, assessment_id: str, version: int) -> None:
        self.assessment_id = assessment_id
        self.version = version
        self.closed = False
        self._change: AssessmentChange | None = None
        self._pending = asyncio.Event()

    async def next(self, seconds: float) -> AssessmentChange | None:
        """The next change; None after `seconds` without one, or when the subscription was closed."""
        try:
            async with asyncio.timeout(seconds):
                await self._pending.wait()
        except TimeoutError:
            return None
        change, self._change = self._change, None
        # A closed subscription stays pending, so that no later wait hangs.
        if not self.closed:
            self._pending.clear()
        return change

    def publish(self, change: AssessmentChange) -> None:
        """Hand over a change, unless the subscriber knows this version or a later one."""
        if change.assessment.version > self.version:
            self.version = change.assessment.version
            # Only the latest change: a slow reader skips versions, and no queue grows.
            self._change = change
            self._pending.set()

    def close(self) -> None:
        """End the subscription and wake its reader."""
        self.closed = True
        self._pending.set()


class ChangeFeed:
    """Publishes changes to the subscribers of this process, which have checked that their callers may see them."""

    def __init__(
        self,
        database: Database,
        queue_positions: QueuePositions,
        *,
        poll_seconds: float = POLL_SECONDS,
        keep_alive: float | None = None,
    ) -> None:
        self.keep_alive = KEEP_ALIVE_SECONDS if keep_alive is None else keep_alive
        self._database = database
        self._queue_positions = queue_positions
        self._poll_seconds = poll_seconds
        self._subscriptions: set[ChangeSubscription] = set()
        self._task: asyncio.Task[None] | None = None
        self._closed = False
        self._failing = False

    @contextmanager
    def subscribe(self, assessment_id: str, version: int) -> Iterator[ChangeSubscription]:
        """Subscribe to changes after `version`, until the block ends."""
        subscription = ChangeSubscription(assessment_id, version)
        if self._closed:
            subscription.close()
        self._subscriptions.add(subscription)
        if self._task is None and not self._closed:
            self._task = asyncio.get_running_loop().create_task(self._run())
        try:
            yield subscription
        finally:
            self._subscriptions.discard(subscription)

    @property
    def subscribers(self) -> int:
        """The number of subscriptions."""
        return len(self._subscriptions)

    def close(self) -> None:
        """End all subscriptions; new ones are closed from the start."""
        self._closed = True
        for subscription in self._subscriptions:
            subscription.close()

    async def _run(self) -> None:
        try:
            while self.subscribers and not self._closed:
                await asyncio.sleep(self._poll_seconds)
                await self._poll()
        finally:
            self._task = None

    async def _poll(self) -> None:
        known: dict[str, int] = {}
        for subscription in self._subscriptions:
            # Subscribers of one assessment may know different versions: the oldest is asked for, and `publish` drops
            # what is known.
            known[subscription.assessment_id] = min(
                subscription.version, known.get(subscription.assessment_id, subscription.version)
            )
        try:
            changes = await asyncio.to_thread(self._read, known)
        except Exception as error:  # subscribers stay and get their changes when the database answers again
            if not self._failing:
                log.warning("changes cannot be read", **failure_fields(error))
            self._failing = True
            await asyncio.sleep(RETRY_SECONDS)
            return
        self._failing = False
        for subscription in tuple(self._subscriptions):
            if subscription.assessment_id in changes:
                _deliver(subscription, changes[subscription.assessment_id])

    def _read(self, known: Mapping[str, int]) -> dict[str, AssessmentChange | None]:
        with self._database.reading() as session:
            changed = changed_since(session, known)
        return {
            assessment_id: None
            if assessment is None
            else AssessmentChange(assessment=assessment, queue_position=self._queue_positions.position_of(assessment))
            for assessment_id, assessment in changed.items()
        }


def _deliver(subscription: ChangeSubscription, change: AssessmentChange | None) -> None:
    if change is None:
        subscription.close()
    else:
        subscription.publish(change)
