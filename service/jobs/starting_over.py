"""An assessment that cannot be gone on with is prepared anew, from what the client sent, as long as that is there."""

from __future__ import annotations

from sqlalchemy import delete, update
from sqlalchemy.orm import Session

from service.jobs.assessment import Failure, StageKind, StageState, State
from service.jobs.ending import changed, end
from service.storage.tables import AssessmentRow, StageRow


def start_over(session: Session, row: AssessmentRow, without: Failure, *, attempt: int = 0) -> bool:
    """Make the locked assessment begin again, `attempt` of its preparations being spent; any model may take it up.

    Late workers find their stages gone, and the fence of the first one raised. False where there is no material any
    more: it has failed then, for this reason.
    """
    if row.audio_key is None and row.transcript_key is None:
        end(session, row, State.FAILED, without)
        return False
    own = StageRow.assessment_id == row.id
    session.execute(delete(StageRow).where(own, StageRow.kind != StageKind.PREPARE))
    session.execute(
        update(StageRow)
        .where(own)
        .values(
            state=StageState.READY,
            fence=StageRow.fence + 1,
            attempt=attempt,
            owner=None,
            lease_until=None,
            enqueued_at=None,
            not_before=None,
            output_key=None,
            claimed_at=None,
            finished_at=None,
        )
    )
    row.state = State.QUEUED
    row.segments_done, row.segments_total = 0, None
    row.model_digest = None
    changed(row)
    return True
