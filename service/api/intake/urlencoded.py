"""A form without files: what clients send when they give `transcript` and `metadata` as plain fields."""

from __future__ import annotations

from collections.abc import AsyncIterator
from urllib.parse import parse_qsl

from service.api.intake.multipart import FormPart
from service.errors.request import MalformedUpload, TooLarge

CONTENT_TYPE = "application/x-www-form-urlencoded"
MAX_FIELDS = 10
BYTE_ENCODING = "latin-1"
"""One character a byte: whether the text is UTF-8 is judged elsewhere, as for any transcript."""


class UrlencodedForm:
    """The fields of one request body of at most `limit` bytes, in the shape of a multipart form's parts."""

    def __init__(self, body: AsyncIterator[bytes], limit: int) -> None:
        self._body = body
        self._limit = limit

    async def parts(self) -> AsyncIterator[FormPart]:
        """Raises MalformedUpload, TooLarge."""
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
