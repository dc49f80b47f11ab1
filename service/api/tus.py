"""Read and write the headers of tus 1.0 (https://tus.io/protocols/resumable-upload)."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from typing import Annotated, Any

from fastapi import Depends, Header, Request, Response
from fastapi.routing import APIRoute

from service.api.dependencies import ComponentsDep
from service.api.digits import parse_digits
from service.errors.request import TooLarge, UploadHeaderInvalid, UploadTypeUnsupported, UploadVersionUnsupported
from service.errors.tree import ServiceError

VERSION = "1.0.0"
EXTENSIONS = "creation,creation-with-upload,termination,expiration,checksum"
ALGORITHMS = {"sha256": hashlib.sha256, "sha1": hashlib.sha1}
"""sha1 because the protocol requires it of every server, and some clients support nothing else."""
UPLOAD_CONTENT_TYPE = "application/offset+octet-stream"
RESPONSE_HEADERS = {"Tus-Resumable": VERSION, "Cache-Control": "no-store"}


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadChecksum:
    """The digest that the bytes of one request must have."""

    algorithm: str
    digest: bytes

    def hasher(self) -> hashlib._Hash:
        """A new hasher of the algorithm."""
        # The checksum finds damage, not attacks; builds of Python under FIPS refuse sha1 otherwise.
        return ALGORITHMS[self.algorithm](usedforsecurity=False)


class TusRoute(APIRoute):
    """A route that adds the tus headers to every response, error responses included."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler, wrapped so that it adds the headers."""
        handle = super().get_route_handler()

        async def handle_with_headers(request: Request) -> Response:
            try:
                response = await handle(request)
            except ServiceError as error:
                error.headers.update(RESPONSE_HEADERS)
                if isinstance(error, UploadVersionUnsupported):
                    error.headers["Tus-Version"] = VERSION
                raise
            for name, value in RESPONSE_HEADERS.items():
                response.headers[name] = value
            return response

        return handle_with_headers


def require_version(
    tus_resumable: Annotated[str | None, Header(description=f"`{VERSION}`", examples=[VERSION])] = None,
) -> None:
    """Raises UploadVersionUnsupported."""
    if tus_resumable != VERSION:
        raise UploadVersionUnsupported(f"The request does not use tus {VERSION}.")


def require_body_type(request: Request) -> None:
    """Raises UploadTypeUnsupported."""
    if not has_upload_body(request):
        raise UploadTypeUnsupported(f"The request's content type is not {UPLOAD_CONTENT_TYPE}.")


def has_upload_body(request: Request) -> bool:
    """Whether the content type announces bytes of the file."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower() == UPLOAD_CONTENT_TYPE


def read_length(
    components: ComponentsDep,
    upload_length: Annotated[str | None, Header(description="size of the whole file in bytes")] = None,
) -> int:
    """`Upload-Length`. Raises UploadHeaderInvalid, TooLarge."""
    length = _parse_bytes("Upload-Length", upload_length)
    limit = components.settings.upload_limit
    if length > limit:
        raise TooLarge(f"The upload is larger than {limit} bytes.")
    return length


def read_offset(
    upload_offset: Annotated[str | None, Header(description="offset in the file of the first byte sent")] = None,
) -> int:
    """`Upload-Offset`. Raises UploadHeaderInvalid."""
    return _parse_bytes("Upload-Offset", upload_offset)


def read_checksum(
    upload_checksum: Annotated[
        str | None, Header(description="`sha256` or `sha1`, a space, and the digest of the bytes sent in base64")
    ] = None,
) -> UploadChecksum | None:
    """`Upload-Checksum`, or None without one. Raises UploadHeaderInvalid."""
    if upload_checksum is None:
        return None
    algorithm, _, encoded = upload_checksum.strip().partition(" ")
    if algorithm not in ALGORITHMS:
        raise UploadHeaderInvalid(f"The algorithm of Upload-Checksum is not one of {', '.join(ALGORITHMS)}.")
    try:
        digest = base64.b64decode(encoded, validate=True)
    except ValueError:
        raise UploadHeaderInvalid("Upload-Checksum is not an algorithm and a digest in base64.") from None
    return UploadChecksum(algorithm=algorithm, digest=digest)


UploadLengthDep = Annotated[int, Depends(read_length)]
UploadOffsetDep = Annotated[int, Depends(read_offset)]
UploadChecksumDep = Annotated[UploadChecksum | None, Depends(read_checksum)]


def http_date(moment: datetime) -> str:
    """The moment as an HTTP date."""
    return format_datetime(moment.replace(microsecond=0), usegmt=True)


def _parse_bytes(name: str, value: str | None) -> int:
    number = parse_digits(value)
    if number is None:
        raise UploadHeaderInvalid(f"{name} is missing or not a number of bytes.")
    return number
