"""A form without files: what clients send when they give `transcript` and `metadata` as plain fields."""

from __future__ import annotations

from collections.abc import AsyncIterator
from urllib.parse import parse_qsl

from service.api.intake.multipart import Part
from service.errors.request import MalformedUpload, TooLarge

CONTENT_TYPE = "application/x-www-form-urlencoded"
MOST_FIELDS = 10
BYTEWISE = "latin-1"
"""One character a byte: whether the text is UTF-8 is judged elsewhere, as for any transcript."""


class UrlencodedForm:
    """The fields of one request body of at most `limit` bytes, in the shape of a multipart form's parts."""

    def __init__(self, body: AsyncIterator[bytes], limit: int) -> None:
        self._body = body
        self._limit = limit

    async def parts(self) -> AsyncIterator[Part]:
        """Raises MalformedUpload, TooLarge."""
        content = bytearray()
        async for chunk in self._body:
            content += chunk
            if len(content) > self._limit:
                raise TooLarge(f"The form is larger than {self._limit} bytes.")
        try:
            fields = parse_qsl(
                content.decode(BYTEWISE), keep_blank_values=True, max_num_fields=MOST_FIELDS, encoding=BYTEWISE
            )
        except ValueError:
            raise MalformedUpload("The form has too many fields.") from None
        for name, value in fields:
            yield Part(name=name, chunks=_whole(value.encode(BYTEWISE)))


async def _whole(value: bytes) -> AsyncIterator[bytes]:
    yield value
