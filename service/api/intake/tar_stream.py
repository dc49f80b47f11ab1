"""Read an uncompressed tar archive as it arrives, member by member, with at most a chunk in memory.

The reader of the standard library loads extended headers of any claimed size into memory, so only its parser of a
single header block is used here. Links, devices and everything else that is not a plain file or folder is refused.
"""

from __future__ import annotations

import tarfile
from collections.abc import AsyncIterator
from dataclasses import dataclass

from service.api.digits import parse_digits
from service.errors.request import BatchUnreadable, TooLarge

BLOCK_BYTES = 512
MAX_HEADER_BYTES = 65_536
FILE_TYPES = (tarfile.REGTYPE, tarfile.AREGTYPE)
EXTENDED_HEADER_TYPES = (tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME)
END_BLOCK = bytes(BLOCK_BYTES)


@dataclass(frozen=True, slots=True, kw_only=True)
class TarMember:
    """A file of the archive; chunks that are not read before the next member are skipped."""

    name: str
    size: int
    chunks: AsyncIterator[bytes]


class TarStream:
    """The plain files of a tar of at most `limit` bytes."""

    def __init__(self, body: AsyncIterator[bytes], limit: int) -> None:
        self._body = body
        self._limit = limit
        self._received = 0
        self._buffer = b""
        self._left = 0

    async def members(self) -> AsyncIterator[TarMember]:
        """Every plain file. Raises TooLarge, and BatchUnreadable for damaged archives and other kinds of member."""
        extended: dict[str, str] = {}
        while (block := await self._read_header_block()) != END_BLOCK:
            header = _parse_header(block)
            if header.type in EXTENDED_HEADER_TYPES:
                extended |= _parse_extended_header(header.type, await self._read_header_data(header.size))
                continue
            # A global header, such as `git archive` writes, names no member.
            if header.type == tarfile.XGLTYPE:
                await self._read_header_data(header.size)
                continue
            if header.type in FILE_TYPES:
                # The plain header has no room for sizes of 8 GiB and more, so pax writes them in the extended one.
                size = _parse_size(extended.get("size"), header.size)
                self._left = size
                yield TarMember(name=extended.get("path", header.name), size=size, chunks=self._member_chunks())
                async for _ in self._member_chunks():  # skip what the consumer did not read
                    pass
                await self._read_exactly(-size % BLOCK_BYTES)
            elif header.type != tarfile.DIRTYPE or header.size:
                raise BatchUnreadable("The archive holds something that is neither a plain file nor a folder.")
            # An extended header holds for the next member only.
            extended = {}

    async def drain(self, limit: int) -> None:
        """Read the padding after the end, at most `limit` bytes, so that the client can finish sending.

        Raises BatchUnreadable for more.
        """
        padding = 0
        while self._buffer or await self._read_chunk():
            padding += len(self._buffer)
            self._buffer = b""
            if padding > limit:
                raise BatchUnreadable("The archive goes on after its end.")

    async def _member_chunks(self) -> AsyncIterator[bytes]:
        while self._left:
            if not self._buffer and not await self._read_chunk():
                raise BatchUnreadable("The archive ends in the middle of a file.")
            chunk = self._buffer[: self._left]
            self._buffer = self._buffer[self._left :]
            self._left -= len(chunk)
            yield chunk

    async def _read_header_data(self, size: int) -> bytes:
        if size > MAX_HEADER_BYTES:
            raise BatchUnreadable("The archive has a header that is too long.")
        content = await self._read_exactly(size)
        await self._read_exactly(-size % BLOCK_BYTES)
        return content

    async def _read_header_block(self) -> bytes:
        """The next header block; an archive that stops between two members counts as complete."""
        if not self._buffer and not await self._read_chunk():
            return END_BLOCK
        return await self._read_exactly(BLOCK_BYTES)

    async def _read_exactly(self, size: int) -> bytes:
        while len(self._buffer) < size:
            if not await self._read_chunk():
                raise BatchUnreadable("The archive ends too early.")
        taken, self._buffer = self._buffer[:size], self._buffer[size:]
        return taken

    async def _read_chunk(self) -> bool:
        async for chunk in self._body:
            self._received += len(chunk)
            if self._received > self._limit:
                raise TooLarge(f"The archive is larger than {self._limit} bytes.")
            if chunk:
                self._buffer += chunk
                return True
        return False


def _parse_header(block: bytes) -> tarfile.TarInfo:
    try:
        header = tarfile.TarInfo.frombuf(block, "utf-8", "replace")
    except tarfile.HeaderError:
        raise BatchUnreadable("The body is not a tar archive, or is damaged.") from None
    if header.size < 0:
        raise BatchUnreadable("The archive has a file of negative size.")
    return header


def _parse_size(given: str | None, otherwise: int) -> int:
    if given is None:
        return otherwise
    size = parse_digits(given)
    if size is None:
        raise BatchUnreadable("The archive has a file whose size is not a number of bytes.")
    return size


def _parse_extended_header(kind: bytes, content: bytes) -> dict[str, str]:
    """Name and size from an extended header: GNU's long name, or pax records `<length> key=value`."""
    if kind == tarfile.GNUTYPE_LONGNAME:
        return {"path": content.rstrip(b"\0").decode("utf-8", "replace")}
    fields = {}
    while content:
        digits, _, _ = content.partition(b" ")
        length = parse_digits(digits.decode("ascii", "replace"))
        if length is None or not len(digits) < length <= len(content):
            raise BatchUnreadable("The archive has a damaged header.")
        record, content = content[:length], content[length:]
        key, _, value = record[len(digits) + 1 :].rstrip(b"\n").partition(b"=")
        if key in (b"path", b"size"):
            fields[key.decode()] = value.decode("utf-8", "replace")
    return fields
