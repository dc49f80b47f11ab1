"""What the sender of a recording says about it: who is the participant, and which track and channel to use."""

from __future__ import annotations

from dataclasses import dataclass

EVERYONE = "everyone"


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingOptions:
    """Speaker labels, and the audio track and channel, numbered from 1; empty or None leaves the choice to us.

    `participant` holds the labels of those who are scored, or `everyone` alone. `interviewer` holds labels that are
    left out. `participant_channel` is for recordings with one speaker on each channel: only that channel is used.
    """

    participant: tuple[str, ...] = ()
    interviewer: tuple[str, ...] = ()
    audio_track: int | None = None
    participant_channel: int | None = None


NO_OPTIONS = RecordingOptions()
