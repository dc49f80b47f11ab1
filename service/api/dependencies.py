"""What routes are given: the caller, and the parts of the running service.

What blocks nothing is a coroutine: others are called in a thread, which costs a request more than they do.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import APIKeyHeader, HTTPAuthorizationCredentials, HTTPBearer

from service.admission.admission import AdmissionController
from service.admission.queue_position import QueuePositions
from service.api.change_feed import Watcher
from service.api.readiness import Readiness
from service.auth.caller import Caller
from service.auth.keys import KeyRing
from service.errors.tree import Unauthenticated
from service.maintenance.sweeper import Sweeper
from service.settings import Settings
from service.storage.database import Database
from service.storage.objects import ObjectStore
from service.task_queue.publisher import TaskPublisher


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What one API process holds open."""

    settings: Settings
    database: Database
    objects: ObjectStore
    publisher: TaskPublisher
    sweeper: Sweeper
    keys: KeyRing
    queue_positions: QueuePositions
    admission: AdmissionController
    watcher: Watcher
    readiness: Readiness


bearer = HTTPBearer(auto_error=False, description="An API key: `hil_...`")
api_key_header = APIKeyHeader(name="X-API-Key", auto_error=False, description="The same key, for other clients")


async def running_parts(request: Request) -> Parts:
    """The parts that the application opened at its start."""
    parts = request.app.state.parts
    if not isinstance(parts, Parts):
        raise TypeError("the application has not started")
    return parts


def authenticated(
    parts: Annotated[Parts, Depends(running_parts)],
    authorization: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)],
    api_key: Annotated[str | None, Depends(api_key_header)],
) -> Caller:
    """The caller behind the key. Raises Unauthenticated."""
    secret = api_key if authorization is None else authorization.credentials
    if not secret:
        raise Unauthenticated("No API key came with the request.")
    return parts.keys.verify(secret)


async def request_id(request: Request) -> str:
    """The id of this request."""
    return str(request.state.request_id)


RunningParts = Annotated[Parts, Depends(running_parts)]
Authenticated = Annotated[Caller, Depends(authenticated)]
RequestId = Annotated[str, Depends(request_id)]
