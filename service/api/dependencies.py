"""Dependencies of routes: the caller, the components of the process, the request id.

A dependency that does not block is a coroutine: FastAPI calls other functions in a thread, which costs more than
the dependency itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import APIKeyHeader, HTTPAuthorizationCredentials, HTTPBearer

from service.admission.admission import AdmissionController
from service.admission.queue_position import QueuePositions
from service.api.change_feed import ChangeFeed
from service.api.readiness import Readiness
from service.auth.caller import Caller
from service.auth.keys import ApiKeyRepository
from service.errors.tree import Unauthenticated
from service.maintenance.sweeper import Sweeper
from service.settings import Settings
from service.storage.database import Database
from service.storage.objects import ObjectStore
from service.task_queue.publisher import TaskPublisher


@dataclass(frozen=True, slots=True, kw_only=True)
class Components:
    """The objects that one API process opens at startup."""

    settings: Settings
    database: Database
    objects: ObjectStore
    publisher: TaskPublisher
    sweeper: Sweeper
    api_keys: ApiKeyRepository
    queue_positions: QueuePositions
    admission: AdmissionController
    change_feed: ChangeFeed
    readiness: Readiness


bearer = HTTPBearer(auto_error=False, description="An API key: `hil_...`")
api_key_header = APIKeyHeader(name="X-API-Key", auto_error=False, description="The same key, for other clients")


async def running_components(request: Request) -> Components:
    """The components that the application opened at startup."""
    components = request.app.state.components
    if not isinstance(components, Components):
        raise TypeError("the application has not started")
    return components


def authenticated(
    components: Annotated[Components, Depends(running_components)],
    authorization: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)],
    api_key: Annotated[str | None, Depends(api_key_header)],
) -> Caller:
    """The caller that the API key belongs to. Raises Unauthenticated."""
    secret = api_key if authorization is None else authorization.credentials
    if not secret:
        raise Unauthenticated("No API key came with the request.")
    return components.api_keys.verify(secret)


async def request_id(request: Request) -> str:
    """The id of this request."""
    return str(request.state.request_id)


ComponentsDep = Annotated[Components, Depends(running_components)]
CallerDep = Annotated[Caller, Depends(authenticated)]
RequestIdDep = Annotated[str, Depends(request_id)]
