"""Following assessments: one question to the database for all who wait in this process, not one for each.

Lives in the event loop, and asks from a thread, only while somebody follows.
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
EVERY_SECONDS = 0.25
KEEP_ALIVE_SECONDS = 15.0
AFTER_FAILURE_SECONDS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """An assessment as it has become, and how it stands in the queue."""

    assessment: Assessment
    queue_position: QueuePosition


class Feed:
    """What one follower is told; of several changes since it last looked, the latest."""

    def __init__(self, assessment_id: str, version: int) -> None:
        self.assessment_id = assessment_id
        self.version = version
        self.closed = False
        self._change: Change | None = None
        self._told = asyncio.Event()

    async def next(self, seconds: float) -> Change | None:
        """The next change; None when there is none for so long, or the feed is closed."""
        try:
            async with asyncio.timeout(seconds):
                await self._told.wait()
        except TimeoutError:
            return None
        change, self._change = self._change, None
        if not self.closed:
            self._told.clear()
        return change

    def tell(self, change: Change) -> None:
        """Pass a change on, unless it is known."""
        if change.assessment.version > self.version:
            self.version = change.assessment.version
            self._change = change
            self._told.set()

    def close(self) -> None:
        """Nothing more will come."""
        self.closed = True
        self._told.set()


class Watcher:
    """Tells every follower in this process of changes; followers have made sure that they may see theirs."""

    def __init__(
        self,
        database: Database,
        queue_positions: QueuePositions,
        *,
        every: float = EVERY_SECONDS,
        keep_alive: float | None = None,
    ) -> None:
        self.keep_alive = KEEP_ALIVE_SECONDS if keep_alive is None else keep_alive
        self._database = database
        self._queue_positions = queue_positions
        self._every = every
        self._feeds: set[Feed] = set()
        self._task: asyncio.Task[None] | None = None
        self._closed = False
        self._failing = False

    @contextmanager
    def follow(self, assessment_id: str, version: int) -> Iterator[Feed]:
        """Changes after this version, as long as the block runs."""
        feed = Feed(assessment_id, version)
        if self._closed:
            feed.close()
        self._feeds.add(feed)
        if self._task is None and not self._closed:
            self._task = asyncio.get_running_loop().create_task(self._run())
        try:
            yield feed
        finally:
            self._feeds.discard(feed)

    @property
    def followers(self) -> int:
        """How many follow at this moment."""
        return len(self._feeds)

    def close(self) -> None:
        """End every feed; new ones are closed from the start."""
        self._closed = True
        for feed in self._feeds:
            feed.close()

    async def _run(self) -> None:
        try:
            while self._feeds and not self._closed:
                await asyncio.sleep(self._every)
                await self._look()
        finally:
            self._task = None

    async def _look(self) -> None:
        known: dict[str, int] = {}
        for feed in self._feeds:
            known[feed.assessment_id] = min(feed.version, known.get(feed.assessment_id, feed.version))
        try:
            changes = await asyncio.to_thread(self._read, known)
        except Exception as error:  # whoever follows stays, and is told once the database answers again
            if not self._failing:
                log.warning("changes cannot be read", **failure_fields(error))
            self._failing = True
            await asyncio.sleep(AFTER_FAILURE_SECONDS)
            return
        self._failing = False
        for feed in tuple(self._feeds):
            if feed.assessment_id in changes:
                _pass_on(feed, changes[feed.assessment_id])

    def _read(self, known: Mapping[str, int]) -> dict[str, Change | None]:
        with self._database.reading() as session:
            changed = changed_since(session, known)
        return {
            assessment_id: None
            if assessment is None
            else Change(assessment=assessment, queue_position=self._queue_positions.position_of(assessment))
            for assessment_id, assessment in changed.items()
        }


def _pass_on(feed: Feed, change: Change | None) -> None:
    if change is None:
        feed.close()
    else:
        feed.tell(change)
