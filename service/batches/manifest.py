"""Read the lines of a batch. Every line is checked, and all problems are reported together with their line numbers."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field, StringConstraints, ValidationError

from service.assessments.states import PRINTABLE_PATTERN, RecordingFields
from service.assessments.submission import DEFAULT_TASK
from service.batches.states import BatchLine
from service.errors.request import BatchInvalid
from service.errors.tree import FieldProblem

MAX_LINE_BYTES = 8192
MAX_REPORTED = 100

Name = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=PRINTABLE_PATTERN)]
CustomId = Annotated[str, StringConstraints(min_length=1, max_length=128, pattern=PRINTABLE_PATTERN)]
UploadId = Annotated[str, StringConstraints(pattern=r"^[0-9a-f-]{36}$")]
MemberName = Annotated[str, StringConstraints(min_length=1, max_length=1024, pattern=PRINTABLE_PATTERN)]


class LineFields(RecordingFields):
    """Fields that every line of a batch may have."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    custom_id: CustomId = Field(
        description="your own id of the line, unique in the batch; never a name or a patient number",
        examples=["visit-0042"],
    )
    task: Name = Field(default=DEFAULT_TASK, description="what to predict", examples=["spectrum"])
    reference: Name | None = Field(default=None, description="your own opaque id, returned unchanged")


class UploadFields(LineFields):
    """A line that names uploads."""

    audio_upload: UploadId | None = Field(default=None, description="id of a complete upload")
    transcript_upload: UploadId | None = Field(default=None, description="id of a complete upload")

    def to_line(self, line: int) -> BatchLine:
        """The line with its number."""
        return BatchLine(
            line=line,
            custom_id=self.custom_id,
            task=self.task,
            reference=self.reference,
            audio=self.audio_upload,
            transcript=self.transcript_upload,
            recording=self.recording_options(),
        )


class MemberFields(LineFields):
    """A line that names members of the same archive."""

    audio: MemberName | None = Field(default=None, description="name of the archive's member", examples=["a.wav"])
    transcript: MemberName | None = Field(default=None, description="name of the archive's member")

    def to_line(self, line: int) -> BatchLine:
        """The line with its number."""
        return BatchLine(
            line=line,
            custom_id=self.custom_id,
            task=self.task,
            reference=self.reference,
            audio=None if self.audio is None else normalise_name(self.audio),
            transcript=None if self.transcript is None else normalise_name(self.transcript),
            recording=self.recording_options(),
        )


class BatchProblems:
    """The problems of a batch in the order of the body; only the first MAX_REPORTED are kept."""

    def __init__(self) -> None:
        self.count = 0
        self._shown: list[FieldProblem] = []

    def add(self, line: int | str, reason: str) -> None:
        """Add a problem of a line or of another location. The reason must not repeat what the client sent."""
        self.count += 1
        if len(self._shown) < MAX_REPORTED:
            location = f"line {line}" if isinstance(line, int) else line
            self._shown.append(FieldProblem(location=location, reason=reason))

    def raise_if_any(self) -> None:
        """Raises BatchInvalid with the problems, if there are any."""
        if not self.count:
            return
        detail = "One problem was found." if self.count == 1 else f"{self.count} problems were found."
        if self.count > len(self._shown):
            detail += f" The first {len(self._shown)} are listed."
        raise BatchInvalid(detail, fields=tuple(self._shown))


class LineReader:
    """Parses JSON lines as their bytes arrive; buffers at most one incomplete line."""

    def __init__(self, fields: type[UploadFields | MemberFields], tasks: frozenset[str], max_lines: int) -> None:
        self._fields = fields
        self._tasks = tasks
        self._max_lines = max_lines
        self._rest = b""
        self._number = 0
        self._first: dict[str, int] = {}
        self._material: dict[str, int] = {}
        self._lines: list[BatchLine] = []
        self.problems = BatchProblems()

    def feed(self, content: bytes) -> None:
        """Parse the next bytes. Raises BatchInvalid at once for too many lines or one that is too long."""
        *whole, self._rest = (self._rest + content).split(b"\n")
        for line in whole:
            self._read(line)
        if len(self._rest) > MAX_LINE_BYTES:
            self._refuse_now(f"line {self._number + 1}", f"is longer than {MAX_LINE_BYTES} bytes")

    def finish(self) -> list[BatchLine]:
        """All lines. Raises BatchInvalid with all problems."""
        self._read(self._rest)
        if not self._lines and not self.problems.count:
            self.problems.add("body", "holds no lines")
        self.problems.raise_if_any()
        return self._lines

    def _read(self, content: bytes) -> None:
        # Blank lines count, so that the numbers are those of the client's file.
        self._number += 1
        if not content.strip():
            return
        if len(self._lines) >= self._max_lines:
            self._refuse_now("body", f"has more than {self._max_lines} lines")
        try:
            line = self._fields.model_validate_json(content).to_line(self._number)
        except ValidationError as error:
            for reason in self._validation_problems(error):
                self.problems.add(self._number, reason)
            return
        self._lines.append(line)
        for reason in self._line_problems(line):
            self.problems.add(self._number, reason)

    def _line_problems(self, line: BatchLine) -> list[str]:
        """The problems of a well-formed line, compared with the lines before it."""
        reasons = []
        if (first := self._first.setdefault(line.custom_id, line.line)) != line.line:
            reasons.append(f"custom_id was used in line {first}")
        if line.task not in self._tasks:
            reasons.append(f"task is not known; known tasks: {', '.join(sorted(self._tasks))}")
        if line.audio is None and line.transcript is None:
            reasons.append("names neither audio nor a transcript")
        named = [name for name in (line.audio, line.transcript) if name is not None]
        firsts = {self._material.setdefault(name, line.line) for name in named} - {line.line}
        reasons += [f"names a file that line {first} names; each belongs to one line" for first in sorted(firsts)]
        if len(named) > len(set(named)):
            reasons.append("names one file as both audio and transcript")
        return reasons

    def _validation_problems(self, error: ValidationError) -> list[str]:
        # Location and type only: messages and unknown names may hold what the client sent.
        problems = error.errors(include_url=False, include_context=False, include_input=False)
        return list(dict.fromkeys(self._validation_problem(problem["type"], problem["loc"]) for problem in problems))

    def _validation_problem(self, kind: str, location: tuple[int | str, ...]) -> str:
        if kind == "json_invalid":
            return "is not JSON"
        if kind == "extra_forbidden":
            return f"has an unknown field; known fields: {', '.join(self._fields.model_fields)}"
        if not location:
            return "is not a JSON object"
        return f"{location[0]} is missing" if kind == "missing" else f"{location[0]} is not valid ({kind})"

    def _refuse_now(self, location: str, reason: str) -> None:
        self.problems.add(location, reason)
        self.problems.raise_if_any()


def normalise_name(name: str) -> str:
    """The name of a member without a leading `./`, which some tar programs write."""
    return name.removeprefix("./")
