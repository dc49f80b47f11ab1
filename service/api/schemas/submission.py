"""The JSON body of a submission: it references uploads instead of carrying files."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from service.api.schemas.assessments import EXAMPLE_ID, Message, Metadata


class UploadReference(Message):
    """A complete upload."""

    upload: str = Field(min_length=1, max_length=64, description="its id", examples=[EXAMPLE_ID])


class TranscriptReference(Message):
    """A transcript: a complete upload, or the text itself."""

    upload: str | None = Field(default=None, min_length=1, max_length=64, description="id of an upload")
    text: str | None = Field(default=None, description="plain text, WebVTT, SRT or JSON utterances")

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.upload is None) == (self.text is None):
            raise ValueError("either an upload or a text")
        return self


class Submission(Metadata):
    """A recording to be assessed, by reference."""

    audio: UploadReference | None = None
    transcript: TranscriptReference | None = None
