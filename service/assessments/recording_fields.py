"""What a submission says about its recording: who is the participant, and which audio track and channel to use."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import BaseModel, BeforeValidator, Field, StringConstraints, WithJsonSchema, model_validator

from service.assessments.states import PRINTABLE_PATTERN

EVERYONE = "everyone"
MAX_LABELS = 16
MAX_LABEL = 128
MAX_TRACK = 99
MAX_CHANNEL = 64

Label = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_LABEL, pattern=PRINTABLE_PATTERN)
]


def _as_list(value: object) -> object:
    return [value] if isinstance(value, str) else value


_LABEL_SCHEMA = {"type": "string", "minLength": 1, "maxLength": MAX_LABEL}
Labels = Annotated[
    tuple[Label, ...],
    Field(max_length=MAX_LABELS),
    BeforeValidator(_as_list),
    WithJsonSchema({"anyOf": [_LABEL_SCHEMA, {"type": "array", "items": _LABEL_SCHEMA, "maxItems": MAX_LABELS}]}),
]


class RecordingFields(BaseModel):
    """Fields of a submission about its recording; without them the labels of the transcript decide."""

    participant: Labels = Field(
        default=(),
        description="speaker label of the participant, or several: only their words and voice are scored; `everyone` "
        "scores all speakers together",
        examples=["SPEAKER_01"],
    )
    interviewer: Labels = Field(
        default=(), description="speaker labels that are left out, one or several", examples=[["SPEAKER_00"]]
    )
    audio_track: int | None = Field(
        default=None,
        ge=1,
        le=MAX_TRACK,
        description="the audio track to use, counted from 1; null takes the file's default track",
        examples=[1],
    )
    participant_channel: int | None = Field(
        default=None,
        ge=1,
        le=MAX_CHANNEL,
        description="the channel of the participant, counted from 1, when each speaker has a channel; null mixes all",
        examples=[2],
    )

    @model_validator(mode="after")
    def _require_one_role(self) -> Self:
        participants = {label.casefold() for label in self.participant}
        if participants & {label.casefold() for label in self.interviewer}:
            raise ValueError("a label is the participant's or the interviewer's")
        if EVERYONE in participants and (len(participants) > 1 or self.interviewer):
            raise ValueError("everyone stands alone")
        return self

    def recording_options(self) -> dict[str, Any] | None:
        """The given fields as stored; None if none was given."""
        given = {name: getattr(self, name) for name in RecordingFields.model_fields}
        return {name: value for name, value in given.items() if value not in ((), None)} or None
