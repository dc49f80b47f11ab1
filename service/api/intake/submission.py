"""A submission in either encoding: a form with its material, or JSON that names uploads."""

from __future__ import annotations

from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request

from service.api.dependencies import Components
from service.api.intake.body import json_digest, read_body
from service.api.intake.form import METADATA_LIMIT, ReceivedSubmission, hash_form, receive_form
from service.api.schemas.assessments import Metadata, Submission
from service.auth.caller import Caller
from service.errors.request import InvalidRequest, MalformedUpload, TooLarge
from service.errors.tree import FieldProblem, ServiceError
from service.settings import Settings
from service.storage.objects import ObjectStore, assessment_prefix, material_prefix
from service.uploads.audio_format import require_transcript
from service.uploads.material import Material, resolve_material
from service.uploads.repository import StoredUpload, find_upload

CONTENT_TYPE = "application/json"
MAX_JSON_ESCAPE_BYTES = 6
"""JSON writes one byte of text in at most six, as \\u00XX."""


async def receive_submission(
    request: Request, assessment_id: str, caller: Caller, components: Components
) -> ReceivedSubmission:
    """Read the body; removes what it stored on an error. Raises RequestRefused, UploadNotFound."""
    try:
        if _is_json(request):
            content = await _read_json(request, components.settings)
            return await run_in_threadpool(_receive_json, content, assessment_id, caller, components)
        return await receive_form(request, assessment_id, components.objects, components.settings)
    except BaseException as error:
        await discard_material(assessment_id, components.objects)
        if isinstance(error, ClientDisconnect):
            raise MalformedUpload("The connection ended before the upload was complete.") from None
        raise


async def hash_submission(request: Request, settings: Settings) -> str:
    """The digest of a body, of which nothing is stored. Raises RequestRefused."""
    try:
        if _is_json(request):
            return json_digest(await _read_json(request, settings))
        return await hash_form(request, settings)
    except ClientDisconnect:
        raise MalformedUpload("The connection ended before the upload was complete.") from None


async def discard_material(assessment_id: str, objects: ObjectStore) -> None:
    """Remove everything that was stored for this assessment."""
    await run_in_threadpool(objects.delete, assessment_prefix(assessment_id))


async def discard_if_refused(error: Exception, assessment_id: str, objects: ObjectStore) -> None:
    """Remove the material if the request was refused for certain.

    After an error of the database the transaction may have committed, so the material stays.
    """
    if isinstance(error, ServiceError):
        await discard_material(assessment_id, objects)


def _is_json(request: Request) -> bool:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower() == CONTENT_TYPE


async def _read_json(request: Request, settings: Settings) -> bytes:
    limit = MAX_JSON_ESCAPE_BYTES * settings.transcript_limit + METADATA_LIMIT
    content = bytearray()
    async for chunk in read_body(request, settings.request_lease):
        content += chunk
        if len(content) > limit:
            raise TooLarge(f"The request is larger than {limit} bytes.")
    return bytes(content)


def _receive_json(content: bytes, assessment_id: str, caller: Caller, components: Components) -> ReceivedSubmission:
    submission = _parse_submission(content)
    text = None if submission.transcript is None else submission.transcript.text
    transcript_key = None if text is None else _store_text(text, assessment_id, components)
    material = _upload_material(submission, caller, components)
    return ReceivedSubmission(
        metadata=Metadata.model_validate(submission.model_dump(include=set(Metadata.model_fields))),
        audio_key=None if material is None else material.audio_key,
        transcript_key=transcript_key if material is None else material.transcript_key or transcript_key,
        audio_seconds=None if material is None else material.audio_seconds,
        uploads=() if material is None else material.uploads,
        digest=json_digest(content),
    )


def _upload_material(submission: Submission, caller: Caller, components: Components) -> Material | None:
    """The uploads that the submission names; None when it holds nothing but text."""
    transcript = submission.transcript
    if submission.audio is None and transcript is not None and transcript.upload is None:
        return None

    def find(upload: str | None) -> StoredUpload | None:
        return None if upload is None else find_upload(components.database, caller, upload)

    audio = find(None if submission.audio is None else submission.audio.upload)
    words = find(None if transcript is None else transcript.upload)
    limit = components.settings.transcript_limit
    return resolve_material(components.objects, audio=audio, transcript=words, transcript_limit=limit)


def _store_text(text: str, assessment_id: str, components: Components) -> str:
    # JSON may hold half a surrogate pair: encoded like this it is refused as no UTF-8 instead of failing here.
    content = text.encode("utf-8", "surrogatepass")
    if len(content) > components.settings.transcript_limit:
        raise TooLarge(f"The transcript is larger than {components.settings.transcript_limit} bytes.")
    require_transcript(content)
    return components.objects.put(f"{material_prefix(assessment_id)}/transcript", content)


def _parse_submission(content: bytes) -> Submission:
    try:
        return Submission.model_validate_json(content)
    except ValidationError as error:
        known = set(Submission.model_fields) | {"upload", "text"}
        fields = tuple(
            FieldProblem(
                # An unknown field name was chosen by the client and may name a person.
                location=".".join(("body", *(str(name) for name in problem["loc"] if name in known))),
                reason=problem["type"],
            )
            for problem in error.errors(include_url=False, include_context=False, include_input=False)
        )
        raise InvalidRequest("The body is not a valid submission.", fields=fields) from None
