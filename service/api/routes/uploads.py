"""`/v1/uploads`: files in pieces, by tus 1.0; any of its client libraries speaks to it."""

from __future__ import annotations

from datetime import datetime

from fastapi import APIRouter, Depends, Request, Response
from pydantic import Field
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool

from service.api.dependencies import Authenticated, Parts, RunningParts
from service.api.idempotency import OncePerKey
from service.api.intake.digest import json_digest
from service.api.intake.upload import write_body
from service.api.openapi.examples import CREATED, DIGEST
from service.api.openapi.problems import UPLOAD_BODY, problems, responses
from service.api.schemas.assessments import EXAMPLE_ID, Message
from service.api.tus import (
    ALGORITHMS,
    EXTENSIONS,
    VERSION,
    Length,
    Offset,
    StatedChecksum,
    TusRoute,
    announces_body,
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
from service.idempotency import Answer
from service.settings import Settings
from service.storage.objects import upload_key
from service.uploads.repository import StoredUpload, UploadRepository, find_upload
from service.uploads.writer import UploadWriter, look

router = APIRouter(prefix="/uploads", tags=["uploads"], route_class=TusRoute)
SPEAKING = [Depends(require_version)]


class UploadView(Message):
    """A file that comes in pieces."""

    id: str = Field(examples=[EXAMPLE_ID])
    length: int = Field(description="bytes that it will hold")
    offset: int = Field(description="bytes that have come")
    sha256: str | None = Field(description="set when all have come; an upload can be used from then on")
    created_at: datetime
    expires_at: datetime | None = Field(description="when it is deleted if nothing more comes; null once used")


EXAMPLE = UploadView(
    id=EXAMPLE_ID,
    length=635_000_044,
    offset=635_000_044,
    sha256=DIGEST.removeprefix("sha256:"),
    created_at=CREATED,
    expires_at=None,
)
WRITING = (BodyStalled, MalformedUpload, TooLarge, UploadHeaderInvalid, UploadChecksumMismatch)
COMMON = (Unauthenticated, UploadVersionUnsupported, InvalidRequest, DatabaseUnavailable)


@router.options("", status_code=204, summary="Ask what is spoken here", responses=problems(Unauthenticated))
def options(parts: RunningParts) -> Response:
    """Version and extensions of tus, and the largest upload."""
    return Response(
        status_code=204,
        headers={
            "Tus-Version": VERSION,
            "Tus-Extension": EXTENSIONS,
            "Tus-Max-Size": str(parts.settings.upload_limit),
            "Tus-Checksum-Algorithm": ",".join(ALGORITHMS),
        },
    )


@router.post(
    "",
    status_code=201,
    response_class=Response,
    summary="Begin an upload",
    dependencies=SPEAKING,
    openapi_extra=UPLOAD_BODY,
    responses=problems(*COMMON, *WRITING, IdempotencyKeyInvalid, IdempotencyInFlight, IdempotencyKeyReused),
)
async def create_upload(
    request: Request,
    caller: Authenticated,
    parts: RunningParts,
    once: OncePerKey,
    length: Length,
    checksum: StatedChecksum,
) -> Response:
    """Say how many bytes will come, and send the first of them or none; `Location` is where the others go."""
    digest = json_digest(b'{"length":%d}' % length)
    if once.repeats:
        return once.again(digest)
    upload = await run_in_threadpool(_add, parts, caller, length, once, digest)
    if announces_body(request) or length == 0:
        writer = await _opened(parts, caller, upload.id, 0, deferred=checksum is not None)
        await write_body(request, writer, checksum, parts.settings)
        upload = await run_in_threadpool(find_upload, parts.database, caller, upload.id)
    return Response(status_code=201, headers={"Location": upload_path(upload.id), **_state(upload, parts.settings)})


@router.head(
    "/{upload_id}",
    response_class=Response,
    summary="Ask how much has come",
    dependencies=SPEAKING,
    responses=problems(*COMMON, UploadNotFound),
)
def head_upload(upload_id: str, caller: Authenticated, parts: RunningParts) -> Response:
    """`Upload-Offset` is where to go on."""
    upload = _look(parts, caller, upload_id)
    return Response(headers={**_state(upload, parts.settings), "Upload-Length": str(upload.length)})


@router.get(
    "/{upload_id}",
    response_model=UploadView,
    summary="Look an upload up",
    responses=responses(200, EXAMPLE, Unauthenticated, UploadNotFound, InvalidRequest, DatabaseUnavailable),
)
def read_upload(upload_id: str, caller: Authenticated, parts: RunningParts) -> UploadView:
    """The same as JSON, with the digest of the whole file."""
    upload = _look(parts, caller, upload_id)
    return UploadView(
        id=upload.id,
        length=upload.length,
        offset=upload.offset,
        sha256=upload.sha256,
        created_at=upload.created_at,
        expires_at=_expiry(upload, parts.settings),
    )


@router.patch(
    "/{upload_id}",
    status_code=204,
    summary="Send bytes",
    dependencies=SPEAKING,
    openapi_extra=UPLOAD_BODY,
    responses=problems(
        *COMMON, *WRITING, UploadNotFound, UploadOffsetConflict, UploadUsed, UploadLocked, UploadTypeUnsupported
    ),
)
async def write_upload(
    upload_id: str,
    request: Request,
    caller: Authenticated,
    parts: RunningParts,
    offset: Offset,
    checksum: StatedChecksum,
) -> Response:
    """The bytes from `Upload-Offset` on, all that are missing or some; with a checksum, all of these or none."""
    require_body_type(request)
    writer = await _opened(parts, caller, upload_id, offset, deferred=checksum is not None)
    await write_body(request, writer, checksum, parts.settings)
    upload = await run_in_threadpool(find_upload, parts.database, caller, upload_id)
    return Response(status_code=204, headers=_state(upload, parts.settings))


@router.delete(
    "/{upload_id}",
    status_code=204,
    summary="Drop an upload",
    dependencies=SPEAKING,
    responses=problems(*COMMON, UploadNotFound, UploadUsed),
)
def delete_upload(upload_id: str, caller: Authenticated, parts: RunningParts) -> None:
    """Delete what has come, unless an assessment or a batch uses it."""
    parts.database.write(lambda session: UploadRepository(session, caller).delete(upload_id))
    parts.objects.delete(upload_key(upload_id))


def upload_path(upload_id: str) -> str:
    """Where an upload is found."""
    return f"/v1/uploads/{upload_id}"


def _add(parts: Parts, caller: Caller, length: int, once: OncePerKey, digest: str) -> StoredUpload:
    def add(session: Session) -> StoredUpload:
        upload = UploadRepository(session, caller).add(length)
        once.complete(session, digest, Answer(status=201, location=upload_path(upload.id), body=None))
        return upload

    return parts.database.write(add)


async def _opened(parts: Parts, caller: Caller, upload_id: str, offset: int, *, deferred: bool) -> UploadWriter:
    lease = parts.settings.request_lease
    writer = UploadWriter(parts.database, parts.objects, caller, lease, deferred=deferred)
    await run_in_threadpool(writer.open, upload_id, offset)
    return writer


def _look(parts: Parts, caller: Caller, upload_id: str) -> StoredUpload:
    return look(parts.database, parts.objects, caller, upload_id, parts.settings.request_lease)


def _state(upload: StoredUpload, settings: Settings) -> dict[str, str]:
    state = {"Upload-Offset": str(upload.offset)}
    if (expiry := _expiry(upload, settings)) is not None:
        state["Upload-Expires"] = http_date(expiry)
    return state


def _expiry(upload: StoredUpload, settings: Settings) -> datetime | None:
    return None if upload.used_by is not None else upload.updated_at + settings.upload_ttl
