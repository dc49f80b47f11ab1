"""Notices about tracks, channels, gaps and headers, in words for the sender."""

from __future__ import annotations

from collections.abc import Sequence
from math import log10

from model.recording.decoder.channels import SILENT_BELOW, ChannelChoice
from model.recording.notice import Notice


def track_notice(*, tracks: int, used: int, default: int, asked: bool) -> Notice | None:
    """What was left out of a file of several tracks (numbered from 0 here); None for a single one."""
    if tracks == 1:
        return None
    others = [track for track in range(tracks) if track != used]
    left_out = f"{_numbers('track', others)} {_verb(others)} left out"
    if used != default:
        return Notice(
            code="audio_track_silent",
            message=f"Audio track {default + 1} of {tracks}, the default, holds no sound, so track {used + 1} was "
            f"used; {left_out}. Name the right one as audio_track.",
        )
    reason = "as asked" if asked else "the default"
    return Notice(
        code="audio_tracks_left_out",
        message=f"The file has {tracks} audio tracks. Track {used + 1} was used, {reason}; {left_out}. Name another "
        "one as audio_track.",
    )


def antiphase_notice(choice: ChannelChoice) -> Notice:
    """Channels that cancel each other."""
    return Notice(
        code="antiphase_channels",
        message=f"The channels carry the same sound in opposite phase and cancel each other, so channel "
        f"{choice.channels[0] + 1} alone was used. Check the wiring of the microphone.",
    )


def silent_channels_notice(choice: ChannelChoice) -> Notice:
    """Channels without sound."""
    return Notice(
        code="silent_channels",
        message=f"{_numbers('channel', choice.silent).capitalize()} {_verb(choice.silent)} left out, more than "
        f"{-10 * log10(SILENT_BELOW):.0f} dB softer than the loudest channel.",
    )


def gaps_notice(gaps: int, seconds: float) -> Notice:
    """Silence in the place of gaps of the timestamps."""
    return Notice(
        code="audio_gaps_filled",
        message=f"The audio's timestamps have {gaps} gap{'s' * (gaps != 1)}, filled with {seconds:.1f} s of silence in "
        "all. Something may be missing from the recording.",
    )


def stale_header_notice() -> Notice:
    """A header that declares less than the file holds."""
    return Notice(
        code="audio_header_corrected",
        message="The header of the file declares less sound than there is: it was not updated to the end of the "
        "recording. The file was read to its end.",
    )


def _numbers(noun: str, indices: Sequence[int]) -> str:
    """`track 2`, or `tracks 2, 3 and 4`, of indices from 0."""
    numbers = [str(index + 1) for index in indices]
    if len(numbers) == 1:
        return f"{noun} {numbers[0]}"
    return f"{noun}s {', '.join(numbers[:-1])} and {numbers[-1]}"


def _verb(indices: Sequence[int]) -> str:
    return "was" if len(indices) == 1 else "were"
