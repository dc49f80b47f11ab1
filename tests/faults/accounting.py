"""Loss accounting: every 202 must lead to exactly one correct final answer, with one notification."""

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import func, select

from service.assessments.result import Result
from service.assessments.states import FINAL_STATES, StageKind, StageState
from service.storage.objects import assessment_prefix
from service.storage.tables import AssessmentRow, DeliveryRow, MessageRow, StageRow
from tests.faults.load import Accepted
from tests.faults.receiver import Receiver
from tests.faults.site import Site

STUCK_SECONDS = 150.0


@dataclass(slots=True, kw_only=True)
class Account:
    """What became of every 202; all fields but the first two must be empty."""

    accepted: int
    states: Counter[str]
    lost: list[str] = field(default_factory=list)
    stuck: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)
    unnotified: list[str] = field(default_factory=list)
    notified_under_two_ids: list[str] = field(default_factory=list)
    material_left: list[str] = field(default_factory=list)

    def faults(self) -> dict[str, int]:
        """How many of each kind of error."""
        kinds = ("lost", "stuck", "failed", "wrong", "doubled", "unexpected", "unnotified", "notified_under_two_ids")
        return {kind: len(getattr(self, kind)) for kind in (*kinds, "material_left")}


def wait_until_settled(site: Site) -> None:
    """Return once nothing is under way, or nothing has moved for a long time."""
    seen, since = None, time.monotonic()
    while time.monotonic() - since < STUCK_SECONDS:
        with site.database.reading() as session:
            open_ones = session.scalar(select(func.count()).where(AssessmentRow.state.not_in(FINAL_STATES)))
            fences = session.scalar(select(func.sum(StageRow.fence))) or 0
            undelivered = session.scalar(select(func.count()).where(DeliveryRow.finished_at.is_(None)))
            attempts = session.scalar(select(func.sum(DeliveryRow.attempt))) or 0
            # A worker that was killed after its last commit leaves the removal of material to the next sweep.
            unremoved = session.scalar(select(func.count()).where(AssessmentRow.material_removed_at.is_(None)))
        if not open_ones and not undelivered and not unremoved:
            return
        if (moved := (open_ones, fences, undelivered, attempts, unremoved)) != seen:
            seen, since = moved, time.monotonic()
        time.sleep(0.5)


def account_for(site: Site, accepted: Sequence[Accepted], receiver: Receiver | None, since: datetime) -> Account:
    """Compare the 202s of clients since a moment with the database, the object store and the webhook receiver."""
    with site.database.reading() as session:
        rows = {row.id: row for row in session.scalars(select(AssessmentRow).where(AssessmentRow.created_at >= since))}
        scored = Counter(session.scalars(_done(StageKind.SCORE)))
        messages = Counter(session.scalars(select(MessageRow.subject)))
    account = Account(accepted=len(accepted), states=Counter(row.state for row in rows.values()))
    promised = {accepted_one.id: accepted_one for accepted_one in accepted}
    account.unexpected = sorted(set(rows) - set(promised))
    account.doubled = sorted(name for name, count in scored.items() if count > 1 and name in rows)
    account.doubled += sorted(name for name, count in messages.items() if count > 1 and name in rows)
    if len(promised) != len({accepted_one.key for accepted_one in accepted}):
        account.doubled.append("two assessments for one key")
    for name, accepted_one in promised.items():
        _account_for_one(site, account, accepted_one, rows.get(name))
        if receiver is not None and name in rows:
            message_ids = receiver.taken.get(name, set())
            account.unnotified += [name] if not message_ids else []
            account.notified_under_two_ids += [name] if len(message_ids) > 1 else []
    return account


def _done(kind: StageKind):
    return select(StageRow.assessment_id).where(StageRow.kind == kind, StageRow.state == StageState.DONE)


def _account_for_one(site: Site, account: Account, accepted_one: Accepted, row: AssessmentRow | None) -> None:
    if row is None:
        account.lost.append(accepted_one.id)
    elif row.state not in FINAL_STATES:
        account.stuck.append(accepted_one.id)
    elif row.state != "succeeded":
        account.failed.append(accepted_one.id)
    else:
        result = Result.model_validate_json(site.objects.get(row.result_key))
        if result.quality.segments != accepted_one.segments or row.segments_done != row.segments_total:
            account.wrong.append(accepted_one.id)
        if site.objects.list(assessment_prefix(accepted_one.id)) != [row.result_key]:
            account.material_left.append(accepted_one.id)
