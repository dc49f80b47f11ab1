"""The material of an assessment, checked at the door and streamed into the object store."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request

from service.api.multipart import MultipartForm, Part
from service.api.schemas import Metadata
from service.api.urlencoded import CONTENT_TYPE, UrlencodedForm
from service.errors import (
    AudioEmpty,
    AudioUnsupported,
    FieldProblem,
    InvalidRequest,
    MalformedUpload,
    MaterialMissing,
    TooLarge,
    TranscriptEmpty,
    TranscriptNotUtf8,
)
from service.storage.objects import ObjectStore, assessment_prefix, material_prefix

SNIFFED_BYTES = 12
METADATA_LIMIT = 16_384
ADTS_SYNC = 0xFFF0
LAYER_SYNC = (0xFFE2, 0xFFE4)
"""The sync word with the layer bits of III and II; bits outside the mask are version and protection."""
DEFAULT_METADATA = Metadata()
KNOWN_PARTS = ("audio", "transcript", "metadata")


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadLimits:
    """Largest sizes, in bytes."""

    request: int
    transcript: int


@dataclass(slots=True, kw_only=True)
class Upload:
    """What has been received so far; keys of stored objects."""

    metadata: Metadata = DEFAULT_METADATA
    audio_key: str | None = None
    transcript_key: str | None = None


def refuse_announced(request: Request, limits: UploadLimits) -> None:
    """Refuse a body that announces too much before any of it is read. Raises TooLarge."""
    announced = request.headers.get("content-length", "")
    if announced.isdigit() and int(announced) > limits.request:
        raise TooLarge(f"The request is larger than {limits.request} bytes.")


async def receive(request: Request, assessment_id: str, objects: ObjectStore, limits: UploadLimits) -> Upload:
    """Read the form; on any refusal nothing of it stays in the store. Raises RequestRefused."""
    try:
        return await _receive(request, assessment_id, objects, limits)
    except BaseException as error:
        await discard(assessment_id, objects)
        if isinstance(error, ClientDisconnect):
            raise MalformedUpload("The connection ended before the upload was complete.") from None
        raise


async def discard(assessment_id: str, objects: ObjectStore) -> None:
    """Remove whatever a refused request has stored."""
    await run_in_threadpool(objects.delete, assessment_prefix(assessment_id))


async def _receive(request: Request, assessment_id: str, objects: ObjectStore, limits: UploadLimits) -> Upload:
    upload = Upload()
    seen: set[str] = set()
    async for part in _form(request, limits).parts():
        if part.name not in KNOWN_PARTS:
            raise _wrong_part("body", f"has an unknown part; known parts: {', '.join(KNOWN_PARTS)}")
        if part.name in seen:
            raise _wrong_part(part.name, "was sent more than once")
        seen.add(part.name)
        if part.name == "audio":
            upload.audio_key = f"{material_prefix(assessment_id)}/audio"
            await objects.put_stream(upload.audio_key, _checked_audio(part.chunks))
        elif part.name == "transcript":
            content = await _transcript(part, limits.transcript)
            prefix = f"{material_prefix(assessment_id)}/transcript"
            upload.transcript_key = await run_in_threadpool(objects.put, prefix, content)
        else:
            upload.metadata = _metadata(await _small(part, METADATA_LIMIT))
    if upload.audio_key is None and upload.transcript_key is None:
        raise MaterialMissing("The request holds neither audio nor a transcript.")
    return upload


def _form(request: Request, limits: UploadLimits) -> MultipartForm | UrlencodedForm:
    """The form in the shape it came in; without a type it is taken for one without files."""
    content_type = request.headers.get("content-type", CONTENT_TYPE)
    if content_type.startswith(CONTENT_TYPE):
        # A byte of text takes up to three in this encoding.
        return UrlencodedForm(request.stream(), 3 * (limits.transcript + METADATA_LIMIT))
    return MultipartForm(request.stream(), content_type, limits.request)


async def _checked_audio(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The same bytes, once the first of them look like audio. Raises AudioEmpty, AudioUnsupported."""
    head = b""
    async for chunk in chunks:
        head += chunk
        if len(head) >= SNIFFED_BYTES:
            break
    if not head:
        raise AudioEmpty("The part `audio` holds no bytes.")
    if not looks_like_audio(head):
        raise AudioUnsupported("The part `audio` does not begin like any accepted audio format.")
    yield head
    async for chunk in chunks:
        yield chunk


def looks_like_audio(head: bytes) -> bool:
    """Whether the leading bytes are those of WAV, FLAC, MP3, AAC, Ogg, MP4/M4A or WebM."""
    if head[:4] in (b"RIFF", b"RF64"):
        return head[8:12] == b"WAVE"
    if head[4:8] == b"ftyp":
        return True
    return head.startswith((b"fLaC", b"ID3", b"OggS", b"\x1a\x45\xdf\xa3")) or _mpeg_frame(head)


def _mpeg_frame(head: bytes) -> bool:
    """An MPEG layer II or III frame, or AAC in ADTS; a UTF-16 byte order mark (layer I) is neither."""
    if len(head) < SNIFFED_BYTES:
        return False
    bits = int.from_bytes(head[:2], "big")
    return bits & 0xFFF6 == ADTS_SYNC or bits & 0xFFE6 in LAYER_SYNC


async def _transcript(part: Part, limit: int) -> bytes:
    content = await _small(part, limit)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise TranscriptNotUtf8("The part `transcript` is not UTF-8 text.") from None
    if not text.strip():
        raise TranscriptEmpty("The part `transcript` holds no words.")
    return content


async def _small(part: Part, limit: int) -> bytes:
    content = bytearray()
    async for chunk in part.chunks:
        content += chunk
        if len(content) > limit:
            raise TooLarge(f"The part `{part.name}` is larger than {limit} bytes.")
    return bytes(content)


def _metadata(content: bytes) -> Metadata:
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


def _wrong_part(location: str, reason: str) -> InvalidRequest:
    return InvalidRequest("The form is not valid.", fields=(FieldProblem(location=location, reason=reason),))
