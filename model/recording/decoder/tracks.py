"""The choice of the audio track of a file with several."""

from __future__ import annotations

import av
from av.stream import Disposition

from model.errors import AudioTrackMissing, AudioUnreadable

MOST_TRACKS_TRIED = 8


def choose_tracks(container: av.container.InputContainer, track: int | None) -> tuple[int, ...]:
    """The tracks to try, numbered from 0: the one asked for; else the default one, then the others in order.

    The default is the first that its container marks so, or the first. Others are for a default without sound.
    Raises AudioUnreadable without an audio track, AudioTrackMissing.
    """
    streams = container.streams.audio
    if not streams:
        raise AudioUnreadable(
            "The file has no audio track.", advice="Send the recording of the sound, or the transcript alone."
        )
    if track is not None:
        if not 1 <= track <= len(streams):
            raise AudioTrackMissing(f"Audio track {track} was asked for; the file has {_count(len(streams))}.")
        return (track - 1,)
    default = next((index for index, stream in enumerate(streams) if stream.disposition & Disposition.default), 0)
    others = [index for index in range(len(streams)) if index != default]
    return (default, *others)[:MOST_TRACKS_TRIED]


def _count(tracks: int) -> str:
    return f"{tracks} audio track{'s' * (tracks != 1)}"
