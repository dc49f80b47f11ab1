"""What an audio file was before it was decoded: container, codec, tracks and channels."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioSource:
    """The source of the decoded audio, as found in the file.

    `container` and `codec` are lower-case names that stay the same between releases (docs/audio.md lists them).
    `sample_rate` is in Hz, `bits` are those of a sample and None for lossy codecs, `bit_rate` is in bit/s and None
    where the file does not tell. `tracks` counts the audio tracks; `track` and `channels_used` are numbered from 1.
    The samples are the mean of the channels used. A file that changes its rate or channels on the way is described by
    the part that is longest.
    """

    container: str
    codec: str
    sample_rate: int
    channels: int
    bits: int | None = None
    bit_rate: int | None = None
    tracks: int = 1
    track: int = 1
    channels_used: tuple[int, ...] = (1,)
