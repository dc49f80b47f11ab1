"""`Idempotency-Key` for any POST: a route takes `OncePerKey` and asks it twice.

    @router.post("", status_code=201, response_model=ThingView)
    def create(body: NewThing, response: Response, caller: Authenticated, parts: RunningParts, once: OncePerKey):
        digest = json_digest(body.model_dump_json().encode())
        if once.repeats:
            return once.again(digest)

        def add(session: Session) -> ThingView:
            view = ...
            once.complete(session, digest, Answer(status=201, location=..., body=view.model_dump_json()))
            return view

        return parts.database.write(add)

`complete` comes last in the transaction that creates the thing. A handler that raises, or never completes, frees the
key. Without the header, nothing repeats and `complete` does nothing.
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

from service.api.dependencies import Authenticated, Parts, RunningParts
from service.api.lease_renewal import renewing
from service.errors.request import IdempotencyKeyInvalid, IdempotencyKeyReused
from service.idempotency import Answer, Earlier, Hold, begin, complete, free, renew, same_route
from service.observability.logs import failure_fields

log = structlog.stdlib.get_logger(__name__)
LONGEST_KEY = 255
REPLAYED = "Idempotency-Replayed"
DESCRIPTION = (
    "1 to 255 printable characters of your choice, a new one for each new request. The same request sent again with "
    "it, also at the same time or much later, has no further effect and gets the first one's answer."
)


class Once:
    """One POST: at work under its key, a repetition of an earlier one, or without a key."""

    def __init__(self, route: str, begun: Hold | Earlier | None = None) -> None:
        self._route = route
        self._hold = begun if isinstance(begun, Hold) else None
        self._earlier = begun if isinstance(begun, Earlier) else None
        self.completed = False

    @property
    def repeats(self) -> bool:
        """Whether a request with this key was answered before: read the body, store nothing, call `again`."""
        return self._earlier is not None

    def again(self, digest: str) -> Response:
        """The answer of the first request. Raises IdempotencyKeyReused when that was another request."""
        earlier = self._earlier
        if earlier is None or earlier.digest != digest or not same_route(earlier, self._route):
            raise IdempotencyKeyReused("The key came with another request before.")
        headers = {REPLAYED: "true", "Cache-Control": "no-store"}
        if earlier.answer.location is not None:
            headers["Location"] = earlier.answer.location
        body = earlier.answer.body
        media_type = None if body is None else "application/json"
        return Response(body, status_code=earlier.answer.status, headers=headers, media_type=media_type)

    def complete(self, session: Session, digest: str, answer: Answer) -> None:
        """Keep the answer for repetitions. Raises IdempotencyInFlight when another request has the key by now."""
        if self._hold is not None:
            complete(session, self._hold, digest, answer)
        self.completed = True


async def once_per_key(
    request: Request,
    caller: Authenticated,
    parts: RunningParts,
    idempotency_key: Annotated[str | None, Header(description=DESCRIPTION)] = None,
) -> AsyncIterator[Once]:
    """Hold the key of the header until the route has ended. Raises IdempotencyKeyInvalid, IdempotencyInFlight."""
    route = f"{request.method} {request.url.path}"
    if idempotency_key is None:
        yield Once(route)
        return
    lease = parts.settings.request_lease
    begun = await run_in_threadpool(begin, parts.database, caller, read_key(idempotency_key), route, lease)
    once = Once(route, begun)
    if isinstance(begun, Earlier):
        yield once
        return
    try:
        async with renewing(partial(renew, parts.database, begun, lease), lease):
            yield once
    except BaseException:
        await _free(parts, begun)
        raise
    if not once.completed:
        await _free(parts, begun)


OncePerKey = Annotated[Once, Depends(once_per_key, scope="function")]


async def _free(parts: Parts, hold: Hold) -> None:
    try:
        await run_in_threadpool(free, parts.database, hold)
    except SQLAlchemyError as error:  # the lease frees it then
        log.warning("idempotency key not freed", **failure_fields(error))


def read_key(header: str) -> str:
    """The key of a header: a string of RFC 8941, or the same without quotes. Raises IdempotencyKeyInvalid."""
    key = header.strip()
    if key.startswith('"'):
        key = _unquoted(key)
    if not 1 <= len(key) <= LONGEST_KEY or not key.isascii() or not key.isprintable():
        raise IdempotencyKeyInvalid("The Idempotency-Key is not 1 to 255 printable ASCII characters.")
    return key


def _unquoted(quoted: str) -> str:
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
