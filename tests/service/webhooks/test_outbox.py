import json
import re
import threading
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select, update

from service.assessments import lifecycle
from service.assessments.repository import AssessmentRepository
from service.assessments.stages import StageRepository
from service.assessments.states import INTERNAL_FAILURE, State
from service.errors.tree import FenceLost
from service.storage.database import now
from service.storage.tables import AssessmentRow, BatchRow, DeliveryRow, MessageRow, StageRow, WebhookRow
from service.webhooks.outbox import enqueue_batch_event
from service.webhooks.repository import WebhookRepository
from service.webhooks.states import Event, WebhookState


def all_of(database, table):
    with database.reading() as session:
        return session.scalars(select(table)).all()


def finish(database, assessment_id="a1", state=State.SUCCEEDED, failure=None):
    with database.writing() as session:
        return lifecycle.finish(
            session, session.get(AssessmentRow, assessment_id, with_for_update=True), state, failure
        )


@pytest.mark.parametrize("state", [State.ABSTAINED, State.FAILED])
def test_a_final_state_enqueues_one_message_for_each_subscribed_webhook(database, submit, add_webhook, state):
    hooks = {add_webhook(database).webhook.id, add_webhook(database, events=[Event(f"assessment.{state}")]).webhook.id}
    add_webhook(database, events=[Event.BATCH_FINISHED])
    submit(database)
    assert finish(database, state=state)
    (message,) = all_of(database, MessageRow)
    deliveries = all_of(database, DeliveryRow)
    assert (message.event, message.tenant, message.subject) == (f"assessment.{state}", "ward-a", "a1")
    assert {delivery.webhook_id for delivery in deliveries} == hooks
    assert {(delivery.message_id, delivery.state) for delivery in deliveries} == {(message.id, "pending")}


def test_a_message_holds_ids_and_the_state_and_nothing_else(database, submit, add_webhook):
    add_webhook(database)
    submit(database)
    finish(database, state=State.FAILED, failure=INTERNAL_FAILURE)
    (message,) = all_of(database, MessageRow)
    payload = json.loads(message.payload)
    assert datetime.fromisoformat(payload.pop("timestamp")) == message.created_at
    assert payload == {
        "type": "assessment.failed",
        "data": {"id": "a1", "state": "failed", "links": {"self": "/v1/assessments/a1"}},
    }
    assert re.fullmatch(r"msg_[0-9a-f]{32}", message.id)


def test_a_final_state_is_enqueued_once(database, submit, add_webhook, caller):
    add_webhook(database)
    submit(database)
    finish(database)
    assert not finish(database, state=State.FAILED)
    with database.writing() as session:
        assert not AssessmentRepository(session, caller).cancel("a1")
    assert len(all_of(database, MessageRow)) == 1


def test_a_cancellation_is_enqueued(database, submit, add_webhook, caller):
    add_webhook(database)
    submit(database)
    with database.writing() as session:
        AssessmentRepository(session, caller).cancel("a1")
    assert [message.event for message in all_of(database, MessageRow)] == ["assessment.cancelled"]


def test_a_rolled_back_final_state_enqueues_nothing(database, submit, add_webhook):
    add_webhook(database)
    submit(database)
    (stage,) = all_of(database, StageRow)
    with database.writing() as session:
        claim = StageRepository(session, "w1").claim(stage.id, timedelta(seconds=9), 5)

    def end_and_fail():
        with database.writing() as session:
            StageRepository(session, "w1").complete_assessment(claim, "key", scored=True)
            raise FenceLost("test")

    with pytest.raises(FenceLost):
        end_and_fail()
    assert all_of(database, MessageRow) == []


def test_neither_another_tenant_nor_a_disabled_webhook_receives_the_event(database, submit, add_webhook, stranger):
    add_webhook(database, by=stranger)
    add_webhook(database)
    with database.writing() as session:
        session.execute(update(WebhookRow).where(WebhookRow.tenant == "ward-a").values(state=WebhookState.DISABLED))
    submit(database)
    finish(database)
    assert all_of(database, MessageRow) == all_of(database, DeliveryRow) == []


def test_assessments_of_a_batch_have_no_events_of_their_own(database, submit, add_webhook):
    add_webhook(database)
    submit(database)
    with database.writing() as session:
        session.execute(update(AssessmentRow).values(batch_id="b1"))
    finish(database)
    assert all_of(database, MessageRow) == []


@pytest.mark.parametrize(("state", "event"), [("finished", "batch.finished"), ("cancelled", "batch.cancelled")])
def test_the_final_state_of_a_batch_is_enqueued(database, add_webhook, state, event):
    add_webhook(database)
    moment = now()
    with database.writing() as session:
        batch = BatchRow(id="b1", tenant="ward-a", state=state, lines=1, request_id="r", created_at=moment)
        batch.updated_at = moment
        session.add(batch)
        enqueue_batch_event(session, batch)
    (message,) = all_of(database, MessageRow)
    assert message.event == event
    assert json.loads(message.payload)["data"]["links"] == {"self": "/v1/batches/b1"}


@pytest.mark.parametrize("first", ["ending", "deleting"])
def test_the_deletion_of_a_webhook_does_not_roll_back_a_final_state(database, submit, add_webhook, caller, first):
    """Whichever comes first, the other waits for its transaction and then succeeds."""
    hook = add_webhook(database).webhook.id
    submit(database)
    done = []

    def ending(session):
        lifecycle.finish(session, session.get(AssessmentRow, "a1", with_for_update=True), State.SUCCEEDED)

    def deleting(session):
        WebhookRepository(session, caller).delete(hook)
        session.flush()

    def second():
        with database.writing() as session:
            (deleting if first == "ending" else ending)(session)
        done.append(1)

    other = threading.Thread(target=second)
    with database.writing() as session:
        (ending if first == "ending" else deleting)(session)
        other.start()
        other.join(0.1)
        assert not done
    other.join()
    assert done
    assert all_of(database, DeliveryRow) == []
    assert all_of(database, AssessmentRow)[0].state == "succeeded"
