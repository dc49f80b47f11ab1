"""Retention: how long each class of data is kept, and its deletion at the end of an assessment and by the sweeper."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

from sqlalchemy import Row, Select, and_, delete, func, or_, select, update
from sqlalchemy.orm import Session

from service.assessments.states import FINAL_STATES
from service.batches.lifecycle import invalidate_files
from service.batches.states import FINAL_BATCH_STATES, BatchState
from service.settings import Settings
from service.storage.database import Database, now
from service.storage.objects import ObjectStore, assessment_prefix, work_prefix
from service.storage.tables import AssessmentRow, BatchRow

MAX_ROWS = 100
BACKUP_LOCK = 7_214_500_362
"""PostgreSQL advisory lock that `deploy/backup.sh` holds while it copies the rows and then the objects they name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """Time from the end of an assessment to the deletion of each class; None keeps results until a client erases them.

    Intermediate objects of the stages hold audio and words too, so they are always deleted at the end.
    """

    audio: timedelta
    transcripts: timedelta
    results: timedelta | None


def retention(settings: Settings) -> Retention:
    """The retention from the settings."""
    return Retention(
        audio=settings.audio_retention, transcripts=settings.transcript_retention, results=settings.result_retention
    )


def remove_material(
    database: Database,
    objects: ObjectStore,
    kept: Retention,
    assessment_id: str | None = None,
    *,
    erased: bool = False,
) -> None:
    """Delete the intermediate objects, audio and transcripts of ended assessments whose retention is over.

    Of one assessment or of the oldest `MAX_ROWS`. Nothing is deleted while a backup runs, since rows that it has copied
    may name the objects: the sweeper comes again. What a client has `erased` is deleted all the same.
    """
    moment = now()
    audio = and_(AssessmentRow.audio_key.is_not(None), AssessmentRow.finished_at <= moment - kept.audio)
    words = and_(AssessmentRow.transcript_key.is_not(None), AssessmentRow.finished_at <= moment - kept.transcripts)
    query = (
        select(
            AssessmentRow.id,
            AssessmentRow.work_removed_at,
            audio.label("audio_due"),
            AssessmentRow.audio_key,
            words.label("words_due"),
            AssessmentRow.transcript_key,
        )
        .where(AssessmentRow.state.in_(FINAL_STATES), or_(AssessmentRow.work_removed_at.is_(None), audio, words))
        .order_by(AssessmentRow.finished_at)
        .limit(MAX_ROWS)
    )
    if assessment_id is not None:
        query = query.where(AssessmentRow.id == assessment_id)
    find = _ended if erased else _ended_before_any_backup
    ended = database.read(partial(find, query))
    for row in ended:
        if row.work_removed_at is None:
            objects.delete(work_prefix(row.id))
        # By key and not by prefix: a file that was uploaded beforehand lies under its upload.
        for due, key in ((row.audio_due, row.audio_key), (row.words_due, row.transcript_key)):
            if due and key is not None:
                objects.remove(key)
    # After the objects: a crash in between only repeats the deletions.
    if ended:
        database.write(partial(_record_removals, ended))


def _ended(query: Select[*tuple[Any, ...]], session: Session) -> Sequence[Row[*tuple[Any, ...]]]:
    return session.execute(query).all()


def _ended_before_any_backup(query: Select[*tuple[Any, ...]], session: Session) -> Sequence[Row[*tuple[Any, ...]]]:
    ended = _ended(query, session)
    # The lock is checked after the query. If it is free then, a later backup copies these rows as ended ones, and the
    # rows of ended assessments do not need the objects.
    return () if ended and _backup_is_taken(session) else ended


def _backup_is_taken(session: Session) -> bool:
    if session.get_bind().dialect.name != "postgresql":
        return False
    return not session.scalar(select(func.pg_try_advisory_xact_lock_shared(BACKUP_LOCK)))


def _record_removals(ended: Sequence[Row[*tuple[Any, ...]]], session: Session) -> None:
    for row in ended:
        _record_removal(session, row.id, audio=bool(row.audio_due), words=bool(row.words_due))


def _record_removal(session: Session, assessment_id: str, *, audio: bool, words: bool) -> None:
    row = session.get(AssessmentRow, assessment_id, with_for_update=True)
    if row is None:
        return
    # The first moment stays: a crash may let the removal run again.
    row.work_removed_at = row.work_removed_at or now()
    if audio:
        row.audio_key = None
    if words:
        row.transcript_key = None
    if row.audio_key is None and row.transcript_key is None:
        row.material_removed_at = row.material_removed_at or now()
        row.recording = None


def erase_expired_assessments(database: Database, objects: ObjectStore, kept: Retention) -> int:
    """Erase assessments whose results have expired, with all their objects; returns how many, at most `MAX_ROWS`."""
    if kept.results is None:
        return 0
    old = (AssessmentRow.state.in_(FINAL_STATES), AssessmentRow.finished_at < now() - kept.results)
    with database.reading() as session:
        rows = session.execute(select(AssessmentRow.id, AssessmentRow.batch_id).where(*old).limit(MAX_ROWS)).all()
    ids = [row.id for row in rows]
    # Objects first: a crash in between leaves rows, which the next run finds again.
    for assessment_id in ids:
        objects.delete(assessment_prefix(assessment_id))
    if ids:
        with database.writing() as session:
            session.execute(delete(AssessmentRow).where(AssessmentRow.id.in_(ids), *old))
    for batch_id in {row.batch_id for row in rows} - {None}:
        invalidate_files(database, objects, batch_id)
    return len(ids)


def erase_expired_batches(database: Database, kept: Retention) -> None:
    """Mark batches whose results have expired as erasing; the sweeper erases them in small steps."""
    if kept.results is None:
        return
    old = (BatchRow.state.in_(FINAL_BATCH_STATES), BatchRow.finished_at < now() - kept.results)
    with database.writing() as session:
        session.execute(update(BatchRow).where(*old).values(state=BatchState.ERASING, updated_at=now()))
