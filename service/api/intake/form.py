"""A submission as a form: its parts are checked as they arrive and streamed into the object store."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from urllib.parse import parse_qsl

from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from service.api.intake.body import read_body
from service.api.intake.multipart import FormPart, MultipartForm
from service.api.schemas.assessments import Metadata
from service.errors.request import InvalidRequest, MalformedUpload, MaterialMissing, TooLarge
from service.errors.tree import FieldProblem
from service.settings import Settings
from service.storage.objects import ObjectStore, material_prefix
from service.uploads.audio_format import HEADER_BYTES, require_audio, require_transcript
from service.uploads.duration_estimate import estimate_duration

METADATA_LIMIT = 16_384
DEFAULT_METADATA = Metadata()
KNOWN_METADATA = ", ".join(Metadata.model_fields)
KNOWN_PARTS = ("audio", "transcript", "metadata")
URLENCODED = "application/x-www-form-urlencoded"
MAX_FIELDS = 10
BYTE_ENCODING = "latin-1"
"""Maps each byte to one character and back, so that decoding cannot fail before the transcript itself is checked."""


@dataclass(slots=True, kw_only=True)
class ReceivedSubmission:
    """A received submission: keys of stored objects, ids of uploads to claim, and the digest of the body."""

    metadata: Metadata = DEFAULT_METADATA
    audio_key: str | None = None
    transcript_key: str | None = None
    audio_seconds: float | None = None
    uploads: tuple[str, ...] = ()
    digest: str = ""


async def receive_form(
    request: Request, assessment_id: str, objects: ObjectStore, settings: Settings
) -> ReceivedSubmission:
    """Read and store the form; the caller removes the objects on an error. Raises RequestRefused, ClientDisconnect."""
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
    if transcript:  # stored last: an object that stays without a row for long is removed as an orphan
        prefix = f"{material_prefix(assessment_id)}/transcript"
        received.transcript_key = await run_in_threadpool(objects.put, prefix, transcript)
    received.digest = digest.hexdigest()
    return received


async def hash_form(request: Request, settings: Settings) -> str:
    """The digest of a form, of which nothing is stored. Raises RequestRefused, ClientDisconnect."""
    digest = FormHasher()
    async for part in _open_form(request, settings).parts():
        async for _ in digest.hashing(part):
            pass
    return digest.hexdigest()


class AudioStream:
    """Audio on its way into the store; keeps its first bytes and its size."""

    def __init__(self) -> None:
        self.head = b""
        self.size = 0

    async def validated(self, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """The same bytes, after a check that they begin like audio. Raises AudioEmpty, AudioUnsupported."""
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


class UrlencodedForm:
    """The fields of an urlencoded body of at most `limit` bytes, in the shape of a multipart form's parts."""

    def __init__(self, body: AsyncIterator[bytes], limit: int) -> None:
        self._body = body
        self._limit = limit

    async def parts(self) -> AsyncIterator[FormPart]:
        """Every field as a part. Raises MalformedUpload, TooLarge."""
        content = bytearray()
        async for chunk in self._body:
            content += chunk
            if len(content) > self._limit:
                raise TooLarge(f"The form is larger than {self._limit} bytes.")
        try:
            fields = parse_qsl(
                content.decode(BYTE_ENCODING), keep_blank_values=True, max_num_fields=MAX_FIELDS, encoding=BYTE_ENCODING
            )
        except ValueError:
            raise MalformedUpload("The form has too many fields.") from None
        for name, value in fields:
            yield FormPart(name=name, chunks=_single_chunk(value.encode(BYTE_ENCODING)))


async def _single_chunk(value: bytes) -> AsyncIterator[bytes]:
    yield value


class FormHasher:
    """The digest of a form's content: names and contents of its parts, whatever their order and the boundary."""

    def __init__(self) -> None:
        self._digests: list[tuple[str, str]] = []

    async def hashing(self, part: FormPart) -> AsyncIterator[bytes]:
        """The part's chunks as they arrive; the part counts once it has been read to its end."""
        hasher = hashlib.sha256()
        async for chunk in part.chunks:
            hasher.update(chunk)
            yield chunk
        self._digests.append((part.name, hasher.hexdigest()))

    def hexdigest(self) -> str:
        """SHA-256 over all parts that were read."""
        return hashlib.sha256(json.dumps(sorted(self._digests)).encode()).hexdigest()


def _open_form(request: Request, settings: Settings) -> MultipartForm | UrlencodedForm:
    """The form in the encoding of its content type; without one it is read as urlencoded."""
    content_type = request.headers.get("content-type", URLENCODED)
    body = read_body(request, settings.request_lease)
    if content_type.startswith(URLENCODED):
        # Percent-encoding takes up to three bytes for one byte of text.
        return UrlencodedForm(body, 3 * (settings.transcript_limit + METADATA_LIMIT))
    return MultipartForm(body, content_type, settings.upload_limit)


def _require_known(name: str, seen: set[str]) -> None:
    if name not in KNOWN_PARTS:
        raise _form_error("body", f"has an unknown part; known parts: {', '.join(KNOWN_PARTS)}")
    if name in seen:
        raise _form_error(name, "was sent more than once")


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
            FieldProblem(location="metadata", reason=f"has an unknown field; known: {KNOWN_METADATA}")
            if problem["type"] == "extra_forbidden"
            else FieldProblem(location=".".join(("metadata", *map(str, problem["loc"]))), reason=problem["type"])
            for problem in error.errors(include_url=False, include_context=False, include_input=False)
        )
        raise InvalidRequest("The part `metadata` is not valid.", fields=fields) from None


def _form_error(location: str, reason: str) -> InvalidRequest:
    return InvalidRequest("The form is not valid.", fields=(FieldProblem(location=location, reason=reason),))
