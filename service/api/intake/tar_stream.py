"""An uncompressed tar archive read as it arrives: one member after the other, never more than a chunk in memory.

The standard library's reader takes extended headers into memory whatever size they claim, so only its parsing of a
single header block is used here. Nothing but plain files and folders passes.
"""

from __future__ import annotations

import tarfile
from collections.abc import AsyncIterator
from dataclasses import dataclass

from service.errors.request import BatchUnreadable, TooLarge

BLOCK = 512
LONGEST_HEADER = 65_536
FILES = (tarfile.REGTYPE, tarfile.AREGTYPE)
NAMES = (tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME)
END = bytes(BLOCK)


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A file of the archive; its chunks must be read before the next one, or are skipped."""

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

    async def members(self) -> AsyncIterator[Member]:
        """Raises BatchUnreadable for what is no harmless archive, TooLarge."""
        extended: dict[str, str] = {}
        while (block := await self._block()) != END:
            header = _header(block)
            if header.type in NAMES:
                extended |= _extended(header.type, await self._small(header.size))
                continue
            if header.type == tarfile.XGLTYPE:
                await self._small(header.size)
                continue
            if header.type in FILES:
                size = _size(extended.get("size"), header.size)
                self._left = size
                yield Member(name=extended.get("path", header.name), size=size, chunks=self._content())
                async for _ in self._content():  # whatever of it nobody read
                    pass
                await self._take(-size % BLOCK)
            elif header.type != tarfile.DIRTYPE or header.size:
                raise BatchUnreadable("The archive holds something that is neither a plain file nor a folder.")
            extended = {}

    async def drain(self, most: int) -> None:
        """Read the padding after the end, so that the client can finish sending. Raises BatchUnreadable."""
        padding = 0
        while self._buffer or await self._more():
            padding += len(self._buffer)
            self._buffer = b""
            if padding > most:
                raise BatchUnreadable("The archive goes on after its end.")

    async def _content(self) -> AsyncIterator[bytes]:
        while self._left:
            if not self._buffer and not await self._more():
                raise BatchUnreadable("The archive ends in the middle of a file.")
            chunk = self._buffer[: self._left]
            self._buffer = self._buffer[self._left :]
            self._left -= len(chunk)
            yield chunk

    async def _small(self, size: int) -> bytes:
        if size > LONGEST_HEADER:
            raise BatchUnreadable("The archive has a header that is too long.")
        content = await self._take(size)
        await self._take(-size % BLOCK)
        return content

    async def _block(self) -> bytes:
        """The next header; an archive that just stops between two members is taken as ended."""
        if not self._buffer and not await self._more():
            return END
        return await self._take(BLOCK)

    async def _take(self, size: int) -> bytes:
        while len(self._buffer) < size:
            if not await self._more():
                raise BatchUnreadable("The archive ends too early.")
        taken, self._buffer = self._buffer[:size], self._buffer[size:]
        return taken

    async def _more(self) -> bool:
        async for chunk in self._body:
            self._received += len(chunk)
            if self._received > self._limit:
                raise TooLarge(f"The archive is larger than {self._limit} bytes.")
            if chunk:
                self._buffer += chunk
                return True
        return False


def _header(block: bytes) -> tarfile.TarInfo:
    try:
        header = tarfile.TarInfo.frombuf(block, "utf-8", "replace")
    except tarfile.HeaderError:
        raise BatchUnreadable("The body is not a tar archive, or is damaged.") from None
    if header.size < 0:
        raise BatchUnreadable("The archive has a file of negative size.")
    return header


def _size(given: str | None, otherwise: int) -> int:
    if given is None:
        return otherwise
    if not given.isascii() or not given.isdigit():
        raise BatchUnreadable("The archive has a file whose size is no number.")
    return int(given)


def _extended(kind: bytes, content: bytes) -> dict[str, str]:
    """Name and size from the header before a member: GNU's long name, or the records `<length> key=value` of pax."""
    if kind == tarfile.GNUTYPE_LONGNAME:
        return {"path": content.rstrip(b"\0").decode("utf-8", "replace")}
    found = {}
    while content:
        length, _, _ = content.partition(b" ")
        if not length.isdigit() or not len(length) < int(length) <= len(content):
            raise BatchUnreadable("The archive has a damaged header.")
        record, content = content[: int(length)], content[int(length) :]
        key, _, value = record[len(length) + 1 :].rstrip(b"\n").partition(b"=")
        if key in (b"path", b"size"):
            found[key.decode()] = value.decode("utf-8", "replace")
    return found
