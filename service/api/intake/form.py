"""The material of an assessment in a form, checked at the door and streamed into the object store."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from service.api.intake.body import read_body
from service.api.intake.digest import FormHasher
from service.api.intake.multipart import FormPart, MultipartForm
from service.api.intake.urlencoded import CONTENT_TYPE, UrlencodedForm
from service.api.schemas.assessments import Metadata
from service.errors.request import InvalidRequest, MaterialMissing, TooLarge
from service.errors.tree import FieldProblem
from service.settings import Settings
from service.storage.objects import ObjectStore, material_prefix
from service.uploads.audio_format import HEADER_BYTES, require_audio, require_transcript
from service.uploads.duration_estimate import estimate_duration

METADATA_LIMIT = 16_384
DEFAULT_METADATA = Metadata()
KNOWN_PARTS = ("audio", "transcript", "metadata")


@dataclass(slots=True, kw_only=True)
class ReceivedSubmission:
    """What has been received so far: keys of stored objects, uploads to take, and the digest of it all."""

    metadata: Metadata = DEFAULT_METADATA
    audio_key: str | None = None
    transcript_key: str | None = None
    audio_seconds: float | None = None
    uploads: tuple[str, ...] = ()
    digest: str = ""


def refuse_oversized(request: Request, settings: Settings) -> None:
    """Refuse a body that announces too much before any of it is read. Raises TooLarge."""
    announced = request.headers.get("content-length", "")
    if announced.isdigit() and int(announced) > settings.upload_limit:
        raise TooLarge(f"The request is larger than {settings.upload_limit} bytes.")


async def receive_form(
    request: Request, assessment_id: str, objects: ObjectStore, settings: Settings
) -> ReceivedSubmission:
    """Read the form; a refusal may leave objects behind. Raises RequestRefused, ClientDisconnect."""
    received, digest, transcript = ReceivedSubmission(), FormHasher(), b""
    seen: set[str] = set()
    async for sent in _open_form(request, settings).parts():
        _require_known(sent.name, seen)
        seen.add(sent.name)
        part = replace(sent, chunks=digest.hashing(sent))
        if part.name == "audio":
            received.audio_key = f"{material_prefix(assessment_id)}/audio"
            audio = AudioStream()
            await objects.put_stream(received.audio_key, audio.validated(part.chunks))
            received.audio_seconds = estimate_duration(audio.head, audio.size)
        elif part.name == "transcript":
            transcript = await _read_small_part(part, settings.transcript_limit)
            require_transcript(transcript)
        else:
            received.metadata = _parse_metadata(await _read_small_part(part, METADATA_LIMIT))
    if not seen & {"audio", "transcript"}:
        raise MaterialMissing("The request holds neither audio nor a transcript.")
    if transcript:  # stored last: what is long in the store without a row is taken for left behind
        prefix = f"{material_prefix(assessment_id)}/transcript"
        received.transcript_key = await run_in_threadpool(objects.put, prefix, transcript)
    received.digest = digest.hexdigest()
    return received


async def hash_form(request: Request, settings: Settings) -> str:
    """The digest of a form of which nothing is to be kept. Raises RequestRefused, ClientDisconnect."""
    digest = FormHasher()
    async for part in _open_form(request, settings).parts():
        async for _ in digest.hashing(part):
            pass
    return digest.hexdigest()


class AudioStream:
    """Audio on its way into the store: its first bytes and how many there were."""

    def __init__(self) -> None:
        self.head = b""
        self.size = 0

    async def validated(self, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """The same bytes, idempotency the first of them look like audio. Raises AudioEmpty, AudioUnsupported."""
        head = b""
        async for chunk in chunks:
            head += chunk
            if len(head) >= HEADER_BYTES:
                break
        require_audio(head)
        self.head, self.size = head[:HEADER_BYTES], len(head)
        yield head
        async for chunk in chunks:
            self.size += len(chunk)
            yield chunk


def _open_form(request: Request, settings: Settings) -> MultipartForm | UrlencodedForm:
    """The form in the shape it came in; without a type it is taken for one without files."""
    content_type = request.headers.get("content-type", CONTENT_TYPE)
    body = read_body(request, settings.request_lease)
    if content_type.startswith(CONTENT_TYPE):
        # A byte of text takes up to three in this encoding.
        return UrlencodedForm(body, 3 * (settings.transcript_limit + METADATA_LIMIT))
    return MultipartForm(body, content_type, settings.upload_limit)


def _require_known(name: str, seen: set[str]) -> None:
    if name not in KNOWN_PARTS:
        raise _form_error("body", f"has an unknown part; known parts: {', '.join(KNOWN_PARTS)}")
    if name in seen:
        raise _form_error(name, "was sent more than idempotency")


async def _read_small_part(part: FormPart, limit: int) -> bytes:
    content = bytearray()
    async for chunk in part.chunks:
        content += chunk
        if len(content) > limit:
            raise TooLarge(f"The part `{part.name}` is larger than {limit} bytes.")
    return bytes(content)


def _parse_metadata(content: bytes) -> Metadata:
    try:
        return Metadata.model_validate_json(content)
    except ValidationError as error:
        fields = tuple(
            FieldProblem(location="metadata", reason="has an unknown field; known: task, reference, priority")
            if problem["type"] == "extra_forbidden"
            else FieldProblem(location=".".join(("metadata", *map(str, problem["loc"]))), reason=problem["type"])
            for problem in error.errors(include_url=False, include_context=False, include_input=False)
        )
        raise InvalidRequest("The part `metadata` is not valid.", fields=fields) from None


def _form_error(location: str, reason: str) -> InvalidRequest:
    return InvalidRequest("The form is not valid.", fields=(FieldProblem(location=location, reason=reason),))
