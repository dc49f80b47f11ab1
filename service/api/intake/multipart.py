"""Parse a multipart form as it arrives: parts in order, each as a stream, so that no file is held in memory.

Decision 0045 says why python-multipart is the parser.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass

from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser, parse_options_header

from service.errors.request import MalformedUpload, TooLarge


@dataclass(frozen=True, slots=True)
class PartBegin:
    """The headers of a part are complete."""

    name: str


@dataclass(frozen=True, slots=True)
class PartData:
    """A chunk of the part's content."""

    content: bytes


@dataclass(frozen=True, slots=True)
class PartEnd:
    """The part is complete."""


@dataclass(frozen=True, slots=True)
class FormEnd:
    """The closing boundary was read."""


ParserEvent = PartBegin | PartData | PartEnd | FormEnd


@dataclass(frozen=True, slots=True, kw_only=True)
class FormPart:
    """One part; its chunks must be read before the next part is requested."""

    name: str
    chunks: AsyncIterator[bytes]


class MultipartForm:
    """The parts of one request body of at most `limit` bytes. File names, which may name a person, are ignored."""

    def __init__(self, body: AsyncIterator[bytes], content_type: str, limit: int) -> None:
        kind, options = parse_options_header(content_type)
        if kind != b"multipart/form-data" or not options.get(b"boundary"):
            raise MalformedUpload("The request is not multipart/form-data with a boundary.")
        self._body = body
        self._limit = limit
        self._received = 0
        self._events: deque[ParserEvent] = deque()
        self._header = b""
        self._value = b""
        self._disposition = b""
        self._parser = MultipartParser(
            options[b"boundary"],
            {
                "on_part_begin": self._on_part_begin,
                "on_header_field": self._on_header_field,
                "on_header_value": self._on_header_value,
                "on_header_end": self._on_header_end,
                "on_headers_finished": self._on_headers_finished,
                "on_part_data": self._on_part_data,
                "on_part_end": lambda: self._events.append(PartEnd()),
                "on_end": lambda: self._events.append(FormEnd()),
            },
        )

    async def parts(self) -> AsyncIterator[FormPart]:
        """Every part in the order of the body. Raises MalformedUpload, TooLarge."""
        while True:
            event = await self._next()
            if isinstance(event, FormEnd):
                return
            if isinstance(event, PartBegin):
                yield FormPart(name=event.name, chunks=self._chunks())

    async def _chunks(self) -> AsyncIterator[bytes]:
        while True:
            event = await self._next()
            if isinstance(event, PartEnd):
                return
            if isinstance(event, PartData):
                yield event.content

    async def _next(self) -> ParserEvent:
        while not self._events:
            try:
                chunk = await anext(self._body)
            except StopAsyncIteration:
                raise MalformedUpload("The upload ended before its closing boundary.") from None
            self._received += len(chunk)
            if self._received > self._limit:
                raise TooLarge(f"The request is larger than {self._limit} bytes.")
            self._parse(chunk)
        return self._events.popleft()

    def _parse(self, chunk: bytes) -> None:
        if not chunk:
            return
        try:
            self._parser.write(chunk)
        except MultipartParseError:
            raise MalformedUpload("The multipart form is malformed.") from None

    def _on_part_begin(self) -> None:
        self._disposition = b""

    def _on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _on_header_end(self) -> None:
        if self._header.lower() == b"content-disposition":
            self._disposition = self._value
        self._header = b""
        self._value = b""

    def _on_headers_finished(self) -> None:
        _, options = parse_options_header(self._disposition)
        self._events.append(PartBegin(options.get(b"name", b"").decode("utf-8", "replace")))

    def _on_part_data(self, data: bytes, start: int, end: int) -> None:
        self._events.append(PartData(data[start:end]))
