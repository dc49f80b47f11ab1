"""`/v1/uploads`: resumable uploads by tus 1.0, for any of its client libraries."""

from __future__ import annotations

from datetime import datetime

from fastapi import APIRouter, Depends, Request, Response
from pydantic import Field
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool

from service.api.dependencies import CallerDep, Components, ComponentsDep
from service.api.idempotency import IdempotentRequestDep
from service.api.intake.body import json_digest
from service.api.intake.upload import write_upload_body
from service.api.openapi.examples import CREATED_AT, DIGEST
from service.api.openapi.problems import UPLOAD_REQUEST_BODY, problem_responses, responses
from service.api.schemas.assessments import EXAMPLE_ID, Message
from service.api.tus import (
    ALGORITHMS,
    EXTENSIONS,
    VERSION,
    TusRoute,
    UploadChecksumDep,
    UploadLengthDep,
    UploadOffsetDep,
    has_upload_body,
    http_date,
    require_body_type,
    require_version,
)
from service.auth.caller import Caller
from service.errors.not_found import UploadNotFound
from service.errors.request import (
    BodyStalled,
    IdempotencyInFlight,
    IdempotencyKeyInvalid,
    IdempotencyKeyReused,
    InvalidRequest,
    MalformedUpload,
    TooLarge,
    UploadChecksumMismatch,
    UploadHeaderInvalid,
    UploadLocked,
    UploadOffsetConflict,
    UploadTypeUnsupported,
    UploadUsed,
    UploadVersionUnsupported,
)
from service.errors.tree import Unauthenticated
from service.errors.unavailable import DatabaseUnavailable
from service.idempotency import StoredResponse
from service.settings import Settings
from service.storage.objects import upload_key
from service.uploads.repository import StoredUpload, UploadRepository, find_upload
from service.uploads.writer import UploadWriter, find_and_complete

router = APIRouter(prefix="/uploads", tags=["uploads"], route_class=TusRoute)
REQUIRE_VERSION = [Depends(require_version)]


class UploadView(Message):
    """A resumable upload."""

    id: str = Field(examples=[EXAMPLE_ID])
    length: int = Field(description="size of the whole file in bytes")
    offset: int = Field(description="bytes received so far")
    sha256: str | None = Field(description="set when all bytes were received; the upload can be used from then on")
    created_at: datetime
    expires_at: datetime | None = Field(description="when it is deleted unless more bytes arrive; null once used")


UPLOAD_EXAMPLE = UploadView(
    id=EXAMPLE_ID,
    length=635_000_044,
    offset=635_000_044,
    sha256=DIGEST.removeprefix("sha256:"),
    created_at=CREATED_AT,
    expires_at=None,
)
WRITE_ERRORS = (BodyStalled, MalformedUpload, TooLarge, UploadHeaderInvalid, UploadChecksumMismatch)
COMMON_ERRORS = (Unauthenticated, UploadVersionUnsupported, InvalidRequest, DatabaseUnavailable)


@router.options("", status_code=204, summary="Read the tus capabilities", responses=problem_responses(Unauthenticated))
def options(components: ComponentsDep) -> Response:
    """Version and extensions of tus, and the maximum size of an upload."""
    return Response(
        status_code=204,
        headers={
            "Tus-Version": VERSION,
            "Tus-Extension": EXTENSIONS,
            "Tus-Max-Size": str(components.settings.upload_limit),
            "Tus-Checksum-Algorithm": ",".join(ALGORITHMS),
        },
    )


@router.post(
    "",
    status_code=201,
    response_class=Response,
    summary="Begin an upload",
    dependencies=REQUIRE_VERSION,
    openapi_extra=UPLOAD_REQUEST_BODY,
    responses=problem_responses(
        *COMMON_ERRORS, *WRITE_ERRORS, IdempotencyKeyInvalid, IdempotencyInFlight, IdempotencyKeyReused
    ),
)
async def create_upload(
    request: Request,
    caller: CallerDep,
    components: ComponentsDep,
    idempotency: IdempotentRequestDep,
    length: UploadLengthDep,
    checksum: UploadChecksumDep,
) -> Response:
    """Declare the size, and send the first bytes or none; the others go to `Location`."""
    digest = json_digest(b'{"length":%d}' % length)
    if idempotency.is_replay:
        return idempotency.replay(digest)
    upload = await run_in_threadpool(_create, components, caller, length, idempotency, digest)
    if has_upload_body(request) or length == 0:
        writer = await _open_writer(components, caller, upload.id, 0, deferred=checksum is not None)
        await write_upload_body(request, writer, checksum, components.settings)
        upload = await run_in_threadpool(find_upload, components.database, caller, upload.id)
    return Response(
        status_code=201, headers={"Location": upload_path(upload.id), **_upload_headers(upload, components.settings)}
    )


@router.head(
    "/{upload_id}",
    response_class=Response,
    summary="Read the offset",
    dependencies=REQUIRE_VERSION,
    responses=problem_responses(*COMMON_ERRORS, UploadNotFound),
)
def head_upload(upload_id: str, caller: CallerDep, components: ComponentsDep) -> Response:
    """`Upload-Offset` is where to continue."""
    upload = _find_upload(components, caller, upload_id)
    return Response(headers={**_upload_headers(upload, components.settings), "Upload-Length": str(upload.length)})


@router.get(
    "/{upload_id}",
    response_model=UploadView,
    summary="Look an upload up",
    responses=responses(200, UPLOAD_EXAMPLE, Unauthenticated, UploadNotFound, InvalidRequest, DatabaseUnavailable),
)
def read_upload(upload_id: str, caller: CallerDep, components: ComponentsDep) -> UploadView:
    """The state of the upload as JSON, with the digest of the whole file."""
    upload = _find_upload(components, caller, upload_id)
    return UploadView(
        id=upload.id,
        length=upload.length,
        offset=upload.offset,
        sha256=upload.sha256,
        created_at=upload.created_at,
        expires_at=_expires_at(upload, components.settings),
    )


@router.patch(
    "/{upload_id}",
    status_code=204,
    summary="Send bytes",
    dependencies=REQUIRE_VERSION,
    openapi_extra=UPLOAD_REQUEST_BODY,
    responses=problem_responses(
        *COMMON_ERRORS,
        *WRITE_ERRORS,
        UploadNotFound,
        UploadOffsetConflict,
        UploadUsed,
        UploadLocked,
        UploadTypeUnsupported,
    ),
)
async def write_upload(
    upload_id: str,
    request: Request,
    caller: CallerDep,
    components: ComponentsDep,
    offset: UploadOffsetDep,
    checksum: UploadChecksumDep,
) -> Response:
    """Send bytes from `Upload-Offset` on, all that are missing or some; with a checksum they count all or none."""
    require_body_type(request)
    writer = await _open_writer(components, caller, upload_id, offset, deferred=checksum is not None)
    await write_upload_body(request, writer, checksum, components.settings)
    upload = await run_in_threadpool(find_upload, components.database, caller, upload_id)
    return Response(status_code=204, headers=_upload_headers(upload, components.settings))


@router.delete(
    "/{upload_id}",
    status_code=204,
    summary="Drop an upload",
    dependencies=REQUIRE_VERSION,
    responses=problem_responses(*COMMON_ERRORS, UploadNotFound, UploadUsed),
)
def delete_upload(upload_id: str, caller: CallerDep, components: ComponentsDep) -> None:
    """Delete the upload, unless an assessment or a batch uses it."""
    components.database.write(lambda session: UploadRepository(session, caller).delete(upload_id))
    # The row first: nothing can use the upload any more, and objects left by a crash are removed as orphans.
    components.objects.delete(upload_key(upload_id))


def upload_path(upload_id: str) -> str:
    """Where an upload is found."""
    return f"/v1/uploads/{upload_id}"


def _create(
    components: Components, caller: Caller, length: int, idempotency: IdempotentRequestDep, digest: str
) -> StoredUpload:
    def add(session: Session) -> StoredUpload:
        upload = UploadRepository(session, caller).add(length)
        idempotency.complete(session, digest, StoredResponse(status=201, location=upload_path(upload.id), body=None))
        return upload

    return components.database.write(add)


async def _open_writer(
    components: Components, caller: Caller, upload_id: str, offset: int, *, deferred: bool
) -> UploadWriter:
    lease = components.settings.request_lease
    writer = UploadWriter(components.database, components.objects, caller, lease, deferred=deferred)
    await run_in_threadpool(writer.open, upload_id, offset)
    return writer


def _find_upload(components: Components, caller: Caller, upload_id: str) -> StoredUpload:
    return find_and_complete(
        components.database, components.objects, caller, upload_id, components.settings.request_lease
    )


def _upload_headers(upload: StoredUpload, settings: Settings) -> dict[str, str]:
    state = {"Upload-Offset": str(upload.offset)}
    if (expiry := _expires_at(upload, settings)) is not None:
        state["Upload-Expires"] = http_date(expiry)
    return state


def _expires_at(upload: StoredUpload, settings: Settings) -> datetime | None:
    return None if upload.used_by is not None else upload.updated_at + settings.upload_ttl
