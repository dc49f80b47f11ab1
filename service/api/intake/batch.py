"""The two request bodies of a batch: JSON lines that name uploads, and a tar archive with its files."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request

from service.api.intake.tar_stream import TarMember, TarStream
from service.batches.manifest import BatchProblems, LineReader, MemberFields, UploadFields, normalise_name
from service.batches.states import BatchLine, StoredLine
from service.errors.request import BatchUnreadable, BatchUnsupported
from service.errors.tree import RequestRefused
from service.storage.objects import ObjectStore, assessment_prefix, material_prefix
from service.uploads.audio_format import HEADER_BYTES, describe_foreign, looks_like_audio, require_transcript
from service.uploads.duration_estimate import estimate_duration

JSON_LINES_TYPES = ("application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonlines")
TAR_TYPES = ("application/x-tar", "application/tar")
MANIFEST = "manifest.jsonl"
MAX_PADDING_BYTES = 1_000_000  # writers pad archives, by 10 KiB mostly; more than this is not padding


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchLimits:
    """Upper bounds: lines, and sizes in bytes of the archive, of a recording and of a transcript."""

    lines: int
    archive: int
    recording: int
    transcript: int


def is_archive(request: Request) -> bool:
    """Whether the body is a tar; False for lines of JSON. Raises BatchUnsupported for anything else."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in (*JSON_LINES_TYPES, *TAR_TYPES):
        raise BatchUnsupported("The type of the body is not accepted.")
    return kind in TAR_TYPES


class HashedBody:
    """A body that is digested while it is read."""

    def __init__(self, chunks: AsyncIterator[bytes]) -> None:
        self._chunks = chunks
        self._hash = hashlib.sha256()

    async def chunks(self) -> AsyncIterator[bytes]:
        """The chunks of the body, each counted in the digest."""
        async for chunk in self._chunks:
            self._hash.update(chunk)
            yield chunk

    async def read_digest(self) -> str:
        """SHA-256 of the whole body; reads the rest of it first. Raises BatchUnreadable."""
        try:
            async for chunk in self._chunks:
                self._hash.update(chunk)
        except ClientDisconnect:
            raise BatchUnreadable("The connection ended before the batch was complete.") from None
        return self._hash.hexdigest()


async def read_lines(body: AsyncIterator[bytes], tasks: frozenset[str], limits: BatchLimits) -> list[BatchLine]:
    """Read lines that name uploads. Raises BatchInvalid, BatchUnreadable."""
    reader = LineReader(UploadFields, tasks, limits.lines)
    try:
        async for chunk in body:
            reader.feed(chunk)
    except ClientDisconnect:
        raise BatchUnreadable("The connection ended before the batch was complete.") from None
    return reader.finish()


class TarBatchReader:
    """Streams a tar archive into the object store; removes what it stored when the archive is refused."""

    def __init__(self, objects: ObjectStore, tasks: frozenset[str], limits: BatchLimits) -> None:
        self._objects = objects
        self._tasks = tasks
        self._limits = limits
        self._ids: dict[int, str] = {}
        self._expected: dict[str, tuple[BatchLine, str]] = {}
        self._keys: dict[str, str] = {}
        self._seconds: dict[int, float] = {}
        self._problems = BatchProblems()

    async def receive(self, body: AsyncIterator[bytes]) -> list[StoredLine]:
        """Store the files of every line. Raises BatchInvalid, BatchUnreadable, TooLarge."""
        try:
            return await self._receive(TarStream(body, self._limits.archive))
        except BaseException as error:
            await self.discard()
            if isinstance(error, ClientDisconnect):
                raise BatchUnreadable("The connection ended before the batch was complete.") from None
            raise

    async def discard(self) -> None:
        """Remove all stored files."""
        for name in self._keys:
            line, _ = self._expected[name]
            await run_in_threadpool(self._objects.delete, assessment_prefix(self._ids[line.line]))

    async def _receive(self, archive: TarStream) -> list[StoredLine]:
        lines: list[BatchLine] | None = None
        number = 0
        async for member in archive.members():
            number += 1
            if lines is None:
                lines = await self._read_manifest(member)
            else:
                await self._store_member(member, number)
        if lines is None:
            raise BatchUnreadable("The archive is empty.")
        await archive.drain(MAX_PADDING_BYTES)
        for name, (line, field) in self._expected.items():
            if name not in self._keys:
                self._problems.add(line.line, f"{field} is not in the archive")
        self._problems.raise_if_any()
        return [self._stored_line(line) for line in lines]

    async def _read_manifest(self, member: TarMember) -> list[BatchLine]:
        if normalise_name(member.name) != MANIFEST:
            raise BatchUnreadable(f"The first member of the archive is not {MANIFEST}.")
        reader = LineReader(MemberFields, self._tasks, self._limits.lines)
        async for chunk in member.chunks:
            reader.feed(chunk)
        lines = reader.finish()
        for line in lines:
            self._ids[line.line] = str(uuid.uuid4())
            for field, name in (("audio", line.audio), ("transcript", line.transcript)):
                if name is not None:
                    self._expected[name] = (line, field)
        return lines

    async def _store_member(self, member: TarMember, number: int) -> None:
        """Store one file, or record its problem; after the first problem nothing more is stored."""
        name = normalise_name(member.name)
        if name.rpartition("/")[2].startswith("._"):  # macOS adds an AppleDouble companion for each file
            return
        if name not in self._expected:
            self._problems.add(f"member {number}", "is not named in the manifest")
            self._limit_unnamed_members()
            return
        line, field = self._expected[name]
        if name in self._keys:
            self._problems.add(line.line, f"{field} is in the archive twice")
            return
        # Noted before it is stored, so that `discard` removes it whenever the request ends.
        self._keys[name] = f"{material_prefix(self._ids[line.line])}/{field}"
        if (reason := self._size_problem(member, field)) is not None:
            self._problems.add(line.line, f"{field} {reason}")
        elif field == "audio":
            await self._store_audio(member, line, self._keys[name])
        else:
            await self._store_transcript(member, line, self._keys[name])

    async def _store_audio(self, member: TarMember, line: BatchLine, key: str) -> None:
        head = b""
        async for chunk in member.chunks:
            head += chunk
            if len(head) >= HEADER_BYTES:
                break
        if not looks_like_audio(head):
            self._problems.add(line.line, describe_foreign(head).removeprefix("The ").removesuffix("."))
        if not self._problems.count:
            self._seconds[line.line] = estimate_duration(head, member.size)
            await self._objects.put_stream(key, _prepend(head, member.chunks))

    async def _store_transcript(self, member: TarMember, line: BatchLine, key: str) -> None:
        content = b"".join([chunk async for chunk in member.chunks])
        try:
            require_transcript(content)
        except RequestRefused as refusal:
            self._problems.add(line.line, refusal.detail.removeprefix("The ").removesuffix("."))
        if not self._problems.count:
            await run_in_threadpool(self._objects.write, key, content)

    def _size_problem(self, member: TarMember, field: str) -> str | None:
        limit = self._limits.recording if field == "audio" else self._limits.transcript
        if member.size > limit:
            return f"is larger than {limit} bytes"
        return None if member.size else "is empty"

    def _limit_unnamed_members(self) -> None:
        """Stop at as many problems as lines are allowed: a client must not send unnamed files without end."""
        if self._problems.count > self._limits.lines:
            self._problems.raise_if_any()

    def _stored_line(self, line: BatchLine) -> StoredLine:
        return StoredLine(
            line=line,
            assessment_id=self._ids[line.line],
            audio_key=None if line.audio is None else self._keys[line.audio],
            transcript_key=None if line.transcript is None else self._keys[line.transcript],
            audio_seconds=self._seconds.get(line.line),
        )


async def _prepend(head: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield head
    async for chunk in rest:
        yield chunk
