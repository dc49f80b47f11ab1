"""`Idempotency-Key` for any POST: a route takes `IdempotentRequestDep` and asks it twice.

    @router.post("", status_code=201, response_model=ThingView)
    def create(
        body: NewThing, caller: CallerDep, components: ComponentsDep, idempotency: IdempotentRequestDep
    ) -> ThingView | Response:
        digest = json_digest(body.model_dump_json().encode())
        if idempotency.is_replay:
            return idempotency.replay(digest)

        def add(session: Session) -> ThingView:
            view = ...
            response = StoredResponse(status=201, location=..., body=view.model_dump_json())
            idempotency.complete(session, digest, response)
            return view

        return components.database.write(add)

`complete` comes last in the transaction that creates the resource. A handler that raises, or never completes, releases
the key. Without the header no request is a replay, and `complete` stores nothing.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial
from typing import Annotated

import structlog
from fastapi import Depends, Header, Request, Response
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool

from service.api.dependencies import CallerDep, Components, ComponentsDep
from service.api.lease_renewal import renew_lease
from service.errors.request import IdempotencyKeyInvalid, IdempotencyKeyReused
from service.idempotency import (
    CompletedRequest,
    KeyLease,
    StoredResponse,
    acquire_key,
    complete_key,
    is_same_route,
    release_key,
    renew_key,
)
from service.observability.logs import failure_fields

log = structlog.stdlib.get_logger(__name__)
MAX_KEY_LENGTH = 255
REPLAYED_HEADER = "Idempotency-Replayed"
KEY_DESCRIPTION = (
    "1 to 255 printable characters of your choice, a new one for each new request. The same request sent again with "
    "it, also at the same time or much later, has no further effect and gets the first one's answer."
)


class IdempotentRequest:
    """One POST: it holds the lease of its key, replays a completed request, or has no key."""

    def __init__(self, route: str, acquired: KeyLease | CompletedRequest | None = None) -> None:
        self._route = route
        self._key_lease = acquired if isinstance(acquired, KeyLease) else None
        self._completed = acquired if isinstance(acquired, CompletedRequest) else None
        self.completed = False

    @property
    def is_replay(self) -> bool:
        """Whether a request with this key has completed: then read the body, store nothing and call `replay`."""
        return self._completed is not None

    def replay(self, digest: str) -> Response:
        """The stored response. Raises IdempotencyKeyReused when the first request had another route or digest."""
        completed = self._completed
        if completed is None or completed.digest != digest or not is_same_route(completed, self._route):
            raise IdempotencyKeyReused("The key was used with another request before.")
        headers = {REPLAYED_HEADER: "true", "Cache-Control": "no-store"}
        if completed.response.location is not None:
            headers["Location"] = completed.response.location
        body = completed.response.body
        media_type = None if body is None else "application/json"
        return Response(body, status_code=completed.response.status, headers=headers, media_type=media_type)

    def complete(self, session: Session, digest: str, answer: StoredResponse) -> None:
        """Store the response for replays. Raises IdempotencyInFlight when another request took the key over."""
        if self._key_lease is not None:
            complete_key(session, self._key_lease, digest, answer)
        self.completed = True


async def idempotent_request(
    request: Request,
    caller: CallerDep,
    components: ComponentsDep,
    idempotency_key: Annotated[str | None, Header(description=KEY_DESCRIPTION)] = None,
) -> AsyncIterator[IdempotentRequest]:
    """Hold the lease of the key until the route ends. Raises IdempotencyKeyInvalid, IdempotencyInFlight."""
    route = f"{request.method} {request.url.path}"
    if idempotency_key is None:
        yield IdempotentRequest(route)
        return
    lease = components.settings.request_lease
    acquired = await run_in_threadpool(
        acquire_key, components.database, caller, parse_key(idempotency_key), route, lease
    )
    idempotency = IdempotentRequest(route, acquired)
    if isinstance(acquired, CompletedRequest):
        yield idempotency
        return
    try:
        async with renew_lease(partial(renew_key, components.database, acquired, lease), lease):
            yield idempotency
    # Cancellation included: a client that has disconnected can use its key again at once.
    except BaseException:
        await _release(components, acquired)
        raise
    if not idempotency.completed:
        await _release(components, acquired)


# The lease ends when the route returns; by default a dependency ends after the response has been sent.
IdempotentRequestDep = Annotated[IdempotentRequest, Depends(idempotent_request, scope="function")]


async def _release(components: Components, key_lease: KeyLease) -> None:
    try:
        await run_in_threadpool(release_key, components.database, key_lease)
    except SQLAlchemyError as error:  # the key is free again when its lease expires
        log.warning("idempotency key not freed", **failure_fields(error))


def parse_key(header: str) -> str:
    """The key of a header: an RFC 8941 string, with or without its quotes. Raises IdempotencyKeyInvalid."""
    key = header.strip()
    if key.startswith('"'):
        key = _unquote(key)
    if not 1 <= len(key) <= MAX_KEY_LENGTH or not key.isascii() or not key.isprintable():
        raise IdempotencyKeyInvalid("The Idempotency-Key is not 1 to 255 printable ASCII characters.")
    return key


def _unquote(quoted: str) -> str:
    key, escaped = "", False
    for position, character in enumerate(quoted[1:], start=1):
        if escaped and character not in '"\\':
            break
        if not escaped and character == '"':
            if position == len(quoted) - 1:
                return key
            break
        escaped = not escaped and character == "\\"
        if not escaped:
            key += character
    raise IdempotencyKeyInvalid("The Idempotency-Key is not a quoted string.")
