"""Write the body of a request to an upload, part by part."""

from __future__ import annotations

from collections.abc import AsyncIterator

from fastapi import Request
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from service.api.intake.body import read_body
from service.api.lease_renewal import renew_lease
from service.api.tus import UploadChecksum
from service.errors.request import BodyStalled, MalformedUpload, TooLarge, UploadChecksumMismatch
from service.errors.tree import ServiceError
from service.settings import Settings
from service.uploads.writer import PART_BYTES, UploadWriter


async def write_upload_body(
    request: Request, writer: UploadWriter, checksum: UploadChecksum | None, settings: Settings
) -> None:
    """Store the body and close the writer, which must be open. Bytes that arrived before an interruption are kept.

    With a checksum either all bytes count or none. Raises TooLarge, UploadChecksumMismatch, UploadLocked,
    UploadNotFound, BodyStalled, and MalformedUpload when the connection ended.
    """
    try:
        async with renew_lease(writer.renew, settings.request_lease):
            interruption = await _store_body(read_body(request, settings.request_lease), writer, checksum)
            await run_in_threadpool(writer.close)
    except ServiceError:
        await run_in_threadpool(writer.discard)
        await run_in_threadpool(writer.release)
        raise
    except BaseException:  # after an error of the database the last part may be committed, so nothing is removed
        await run_in_threadpool(writer.release)
        raise
    if interruption is not None:
        raise interruption


async def _store_body(
    body: AsyncIterator[bytes], writer: UploadWriter, checksum: UploadChecksum | None
) -> ServiceError | None:
    """Store the body; returns the error that interrupted it, if any."""
    hasher = None if checksum is None else checksum.hasher()
    rest = bytearray()
    interruption: ServiceError | None = None
    try:
        async for piece in _bounded_chunks(body):
            if hasher is not None:
                hasher.update(piece)
            await _buffer_chunk(writer, rest, piece)
    except BodyStalled as stalled:
        interruption = stalled
    except ClientDisconnect:
        interruption = MalformedUpload("The connection ended before the request did.")
    if checksum is not None and hasher is not None:
        if interruption is not None:
            raise interruption
        if hasher.digest() != checksum.digest:
            raise UploadChecksumMismatch("The bytes that came do not match Upload-Checksum.")
    await run_in_threadpool(_store_last_part, writer, bytes(rest))
    return interruption


async def _buffer_chunk(writer: UploadWriter, rest: bytearray, piece: bytes) -> None:
    """Buffer the chunk; store a part when the buffer is full."""
    if len(rest) + len(piece) > writer.remaining:
        raise TooLarge("The request holds more bytes than the upload lacks.")
    if len(rest) + len(piece) > PART_BYTES:
        await run_in_threadpool(writer.store, bytes(rest))
        rest.clear()
    rest += piece


def _store_last_part(writer: UploadWriter, rest: bytes) -> None:
    if rest:
        writer.store(rest)
    writer.commit()


async def _bounded_chunks(body: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The body in chunks of at most PART_BYTES; ASGI does not bound the chunks that a server delivers."""
    async for chunk in body:
        if len(chunk) <= PART_BYTES:
            yield chunk
        else:
            for start in range(0, len(chunk), PART_BYTES):
                yield chunk[start : start + PART_BYTES]
