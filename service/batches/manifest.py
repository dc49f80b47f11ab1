"""Reading the lines of a batch: every line is looked at, and all that is wrong is told at once, with line numbers."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from service.assessments.states import PRINTABLE
from service.assessments.submission import DEFAULT_TASK
from service.batches.states import BatchLine
from service.errors.request import BatchInvalid
from service.errors.tree import FieldProblem

LONGEST_LINE = 8192
MOST_SHOWN = 100

Name = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=PRINTABLE)]
CustomId = Annotated[str, StringConstraints(min_length=1, max_length=128, pattern=PRINTABLE)]
UploadId = Annotated[str, StringConstraints(pattern=r"^[0-9a-f-]{36}$")]
MemberName = Annotated[str, StringConstraints(min_length=1, max_length=1024, pattern=PRINTABLE)]


class LineFields(BaseModel):
    """What every line of a batch may say."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    custom_id: CustomId = Field(
        description="your own id of the line, unique in the batch; never a name or a patient number",
        examples=["visit-0042"],
    )
    task: Name = Field(default=DEFAULT_TASK, description="what to predict", examples=["spectrum"])
    reference: Name | None = Field(default=None, description="your own opaque id, given back unchanged")


class UploadFields(LineFields):
    """A line whose material was uploaded beforehand."""

    audio_upload: UploadId | None = Field(default=None, description="id of a complete upload")
    transcript_upload: UploadId | None = Field(default=None, description="id of a complete upload")

    def at(self, line: int) -> BatchLine:
        """The line with its number."""
        return BatchLine(
            line=line,
            custom_id=self.custom_id,
            task=self.task,
            reference=self.reference,
            audio=self.audio_upload,
            transcript=self.transcript_upload,
        )


class MemberFields(LineFields):
    """A line whose material follows in the same archive."""

    audio: MemberName | None = Field(default=None, description="name of the archive's member", examples=["a.wav"])
    transcript: MemberName | None = Field(default=None, description="name of the archive's member")

    def at(self, line: int) -> BatchLine:
        """The line with its number."""
        return BatchLine(
            line=line,
            custom_id=self.custom_id,
            task=self.task,
            reference=self.reference,
            audio=None if self.audio is None else plain_name(self.audio),
            transcript=None if self.transcript is None else plain_name(self.transcript),
        )


class Problems:
    """What is wrong with a batch, in the order in which it was found; only the first hundred are kept."""

    def __init__(self) -> None:
        self.count = 0
        self._shown: list[FieldProblem] = []

    def add(self, line: int | str, reason: str) -> None:
        """Note a problem of a line, or of another named place. The reason never repeats what the client sent."""
        self.count += 1
        if len(self._shown) < MOST_SHOWN:
            location = f"line {line}" if isinstance(line, int) else line
            self._shown.append(FieldProblem(location=location, reason=reason))

    def refuse(self) -> None:
        """Raises BatchInvalid if there are any."""
        if not self.count:
            return
        detail = "One problem was found." if self.count == 1 else f"{self.count} problems were found."
        if self.count > len(self._shown):
            detail += f" The first {len(self._shown)} are listed."
        raise BatchInvalid(detail, fields=tuple(self._shown))


class LineReader:
    """Lines of JSON, as their bytes arrive; holds at most one unfinished line besides what it has understood."""

    def __init__(self, fields: type[UploadFields | MemberFields], tasks: frozenset[str], most: int) -> None:
        self._fields = fields
        self._tasks = tasks
        self._most = most
        self._rest = b""
        self._number = 0
        self._first: dict[str, int] = {}
        self._material: dict[str, int] = {}
        self._lines: list[BatchLine] = []
        self.problems = Problems()

    def feed(self, content: bytes) -> None:
        """Read on. Raises BatchInvalid at once where reading further makes no sense."""
        *whole, self._rest = (self._rest + content).split(b"\n")
        for line in whole:
            self._read(line)
        if len(self._rest) > LONGEST_LINE:
            self._stop(f"line {self._number + 1}", f"is longer than {LONGEST_LINE} bytes")

    def finish(self) -> list[BatchLine]:
        """Every line. Raises BatchInvalid with all that is wrong."""
        self._read(self._rest)
        if not self._lines and not self.problems.count:
            self.problems.add("body", "holds no lines")
        self.problems.refuse()
        return self._lines

    def _read(self, content: bytes) -> None:
        self._number += 1
        if not content.strip():
            return
        if len(self._lines) >= self._most:
            self._stop("body", f"has more than {self._most} lines")
        try:
            line = self._fields.model_validate_json(content).at(self._number)
        except ValidationError as error:
            for reason in self._reasons(error):
                self.problems.add(self._number, reason)
            return
        self._lines.append(line)
        for reason in self._objections(line):
            self.problems.add(self._number, reason)

    def _objections(self, line: BatchLine) -> list[str]:
        """What is wrong with a well-formed line beside the lines before it."""
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

    def _reasons(self, error: ValidationError) -> list[str]:
        """Where and what kind only: messages and unknown names may hold what the client sent."""
        found = error.errors(include_url=False, include_context=False, include_input=False)
        return list(dict.fromkeys(self._reason(problem["type"], problem["loc"]) for problem in found))

    def _reason(self, kind: str, place: tuple[int | str, ...]) -> str:
        if kind == "json_invalid":
            return "is not JSON"
        if kind == "extra_forbidden":
            return f"has an unknown field; known fields: {', '.join(self._fields.model_fields)}"
        if not place:
            return "is not a JSON object"
        return f"{place[0]} is missing" if kind == "missing" else f"{place[0]} is not valid ({kind})"

    def _stop(self, place: str, reason: str) -> None:
        self.problems.add(place, reason)
        self.problems.refuse()


def plain_name(name: str) -> str:
    """A member's name without a leading `./`, as some programs write it and some do not."""
    return name.removeprefix("./")
