"""`/v1/webhooks`: receivers of events, and the log of their deliveries."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Query, Response
from sqlalchemy.orm import Session

from service.api.dependencies import CallerDep, Components, ComponentsDep
from service.api.idempotency import IdempotentRequest, IdempotentRequestDep
from service.api.intake.body import json_digest
from service.api.openapi.problems import problem_responses, responses
from service.api.openapi.webhooks import DELIVERY_LIST, ISSUED_WEBHOOK, PENDING_DELIVERY, WEBHOOK_EXAMPLE, WEBHOOK_LIST
from service.api.schemas.webhooks import (
    DeliveryList,
    DeliveryView,
    WebhookChange,
    WebhookList,
    WebhookOrder,
    WebhookView,
    WebhookWithSecret,
    delivery_view,
    webhook_path,
    webhook_view,
    webhook_with_secret,
)
from service.errors.not_found import DeliveryNotFound, WebhookNotFound
from service.errors.request import (
    IdempotencyInFlight,
    IdempotencyKeyInvalid,
    IdempotencyKeyReused,
    InvalidRequest,
    WebhookDisabled,
    WebhookLimit,
    WebhookUrlRefused,
)
from service.errors.tree import Unauthenticated
from service.errors.unavailable import DatabaseUnavailable
from service.idempotency import StoredResponse
from service.webhooks.repository import WebhookRepository
from service.webhooks.states import Delivery, DeliveryState, Webhook
from service.webhooks.url_policy import webhook_url_policy

MAX_LOG_ENTRIES = 100
EMPTY_BODY_DIGEST = json_digest(b"null")
"""Digest of a request without a body."""
IDEMPOTENCY_ERRORS = (IdempotencyKeyInvalid, IdempotencyInFlight, IdempotencyKeyReused)
COMMON_ERRORS = (Unauthenticated, WebhookNotFound, InvalidRequest, DatabaseUnavailable)

router = APIRouter(prefix="/webhooks", tags=["webhooks"])


@router.post(
    "",
    status_code=201,
    response_model=WebhookWithSecret,
    summary="Add a webhook",
    responses=responses(
        201,
        ISSUED_WEBHOOK,
        *IDEMPOTENCY_ERRORS,
        Unauthenticated,
        WebhookLimit,
        InvalidRequest,
        WebhookUrlRefused,
        DatabaseUnavailable,
    ),
)
def create_webhook(
    order: WebhookOrder,
    response: Response,
    caller: CallerDep,
    components: ComponentsDep,
    idempotency: IdempotentRequestDep,
) -> WebhookWithSecret | Response:
    """The response holds the secret that verifies messages; only a replay of the request shows it again."""
    digest = json_digest(order.model_dump_json().encode())
    if idempotency.is_replay:
        return idempotency.replay(digest)
    webhook_url_policy(components.settings).parse(order.url)

    def add(session: Session) -> WebhookWithSecret:
        view = webhook_with_secret(WebhookRepository(session, caller).add(order.url, order.events or ()))
        answer = StoredResponse(status=201, location=webhook_path(view.id), body=view.model_dump_json())
        idempotency.complete(session, digest, answer)
        return view

    view = components.database.write(add)
    response.headers["Location"] = webhook_path(view.id)
    response.headers["Cache-Control"] = "no-store"
    return view


@router.get(
    "",
    response_model=WebhookList,
    summary="List webhooks",
    responses=responses(200, WEBHOOK_LIST, Unauthenticated, DatabaseUnavailable),
)
def list_webhooks(caller: CallerDep, components: ComponentsDep) -> WebhookList:
    """All of them, oldest first, without their secrets."""
    with components.database.reading() as session:
        webhooks = WebhookRepository(session, caller).all()
    return WebhookList(items=tuple(map(webhook_view, webhooks)))


@router.get(
    "/{webhook_id}",
    response_model=WebhookView,
    summary="Look a webhook up",
    responses=responses(200, WEBHOOK_EXAMPLE, *COMMON_ERRORS),
)
def read_webhook(webhook_id: str, caller: CallerDep, components: ComponentsDep) -> WebhookView:
    """Its URL, whether it is enabled, and since when it fails."""
    with components.database.reading() as session:
        return webhook_view(WebhookRepository(session, caller).get(webhook_id))


@router.patch(
    "/{webhook_id}",
    response_model=WebhookView,
    summary="Change a webhook",
    responses=responses(200, WEBHOOK_EXAMPLE, *COMMON_ERRORS, WebhookUrlRefused),
)
def change_webhook(webhook_id: str, change: WebhookChange, caller: CallerDep, components: ComponentsDep) -> WebhookView:
    """Its URL, its events, or whether it is enabled; what is left out stays."""
    if change.url is not None:
        webhook_url_policy(components.settings).parse(change.url)
    # null means all events here, so only a field that is left out changes nothing.
    events = (change.events or ()) if "events" in change.model_fields_set else None

    def update(session: Session) -> Webhook:
        return WebhookRepository(session, caller).update(
            webhook_id, url=change.url, events=events, enabled=change.enabled
        )

    return webhook_view(components.database.write(update))


@router.delete(
    "/{webhook_id}", status_code=204, summary="Delete a webhook", responses=problem_responses(*COMMON_ERRORS)
)
def delete_webhook(webhook_id: str, caller: CallerDep, components: ComponentsDep) -> None:
    """Delete it with its pending deliveries and their log."""
    components.database.write(lambda session: WebhookRepository(session, caller).delete(webhook_id))


@router.post(
    "/{webhook_id}/rotate-secret",
    response_model=WebhookWithSecret,
    summary="Give a webhook a new secret",
    responses=responses(200, ISSUED_WEBHOOK, *COMMON_ERRORS, *IDEMPOTENCY_ERRORS),
)
def rotate_secret(
    webhook_id: str, response: Response, caller: CallerDep, components: ComponentsDep, idempotency: IdempotentRequestDep
) -> WebhookWithSecret | Response:
    """For a day messages are signed with the old secret too; the secret before that one is no longer used."""
    if idempotency.is_replay:
        return idempotency.replay(EMPTY_BODY_DIGEST)

    def rotate(session: Session) -> WebhookWithSecret:
        issued = WebhookRepository(session, caller).rotate(webhook_id, components.settings.webhook_secret_overlap)
        view = webhook_with_secret(issued)
        idempotency.complete(
            session, EMPTY_BODY_DIGEST, StoredResponse(status=200, location=None, body=view.model_dump_json())
        )
        return view

    view = components.database.write(rotate)
    response.headers["Cache-Control"] = "no-store"
    return view


@router.post(
    "/{webhook_id}/test",
    status_code=202,
    response_model=DeliveryView,
    summary="Send a test message",
    responses=responses(202, PENDING_DELIVERY, *COMMON_ERRORS, *IDEMPOTENCY_ERRORS, WebhookDisabled),
)
def test_webhook(
    webhook_id: str, caller: CallerDep, components: ComponentsDep, idempotency: IdempotentRequestDep
) -> DeliveryView | Response:
    """Send `webhook.test` to this webhook alone, whatever events it subscribes to."""
    if idempotency.is_replay:
        return idempotency.replay(EMPTY_BODY_DIGEST)
    return _queue_delivery(components, idempotency, lambda session: WebhookRepository(session, caller).test(webhook_id))


@router.get(
    "/{webhook_id}/deliveries",
    response_model=DeliveryList,
    summary="Read the delivery log",
    responses=responses(200, DELIVERY_LIST, *COMMON_ERRORS),
)
def list_deliveries(
    webhook_id: str,
    caller: CallerDep,
    components: ComponentsDep,
    limit: Annotated[int, Query(ge=1, le=MAX_LOG_ENTRIES)] = MAX_LOG_ENTRIES,
    state: Annotated[DeliveryState | None, Query()] = None,
) -> DeliveryList:
    """The latest deliveries, newest first, each with its attempts."""
    with components.database.reading() as session:
        deliveries = WebhookRepository(session, caller).deliveries(webhook_id, limit=limit, state=state)
    return DeliveryList(items=tuple(map(delivery_view, deliveries)))


@router.post(
    "/{webhook_id}/deliveries/{delivery_id}/replay",
    status_code=202,
    response_model=DeliveryView,
    summary="Send a message again",
    responses=responses(202, PENDING_DELIVERY, *COMMON_ERRORS, *IDEMPOTENCY_ERRORS, DeliveryNotFound, WebhookDisabled),
)
def replay_delivery(
    webhook_id: str, delivery_id: str, caller: CallerDep, components: ComponentsDep, idempotency: IdempotentRequestDep
) -> DeliveryView | Response:
    """The message keeps its id, and its retries start again."""
    if idempotency.is_replay:
        return idempotency.replay(EMPTY_BODY_DIGEST)
    return _queue_delivery(
        components, idempotency, lambda session: WebhookRepository(session, caller).replay(webhook_id, delivery_id)
    )


def _queue_delivery(
    components: Components, idempotency: IdempotentRequest, queue: Callable[[Session], Delivery]
) -> DeliveryView:
    def complete(session: Session) -> DeliveryView:
        view = delivery_view(queue(session))
        idempotency.complete(
            session, EMPTY_BODY_DIGEST, StoredResponse(status=202, location=None, body=view.model_dump_json())
        )
        return view

    view = components.database.write(complete)
    components.sweeper.wake()
    return view
