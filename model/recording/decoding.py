"""Streaming decoder of untrusted audio files into the scratch file.

Sample times follow the clock of the container, which transcripts refer to: the encoder delay of MP3, AAC in MP4 and
Opus is trimmed as the file declares it, and gaps between timestamps become silence. A raw AAC stream, and an MP3
without the header for it, declare no delay; they run 25 to 50 ms late.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from model.config import AudioLimits
from model.errors import AudioChannelMissing, RecordingError
from model.recording.audio import Audio, never_cancelled
from model.recording.decoder.channels import ChannelChoice
from model.recording.decoder.decode_pass import DecodePass
from model.recording.decoder.notices import antiphase_notice, gaps_notice, silent_channels_notice, track_notice
from model.recording.decoder.scratch import ChannelPlan, ScratchWriter
from model.recording.decoder.source_file import SourceFile, open_source
from model.recording.decoder.source_section import SourceSection
from model.recording.decoder.tracks import choose_tracks
from model.recording.notice import Notice
from model.recording.source import AudioSource

SILENT_PEAK = 10 ** (-75 / 20)
"""Peak below which a track holds no sound but dither."""
MOST_BEYOND = 1e-5
"""Share of samples above full scale from which on the level is lowered: fewer are overshoot of a lossy codec."""


def decode(
    source: Path,
    scratch: Path,
    limits: AudioLimits,
    *,
    track: int | None = None,
    participant_channel: int | None = None,
    check: Callable[[], None] = never_cancelled,
) -> Audio:
    """Decode `source`, whatever its name, to mono 16 kHz PCM in the new file `scratch`.

    `track` and `participant_channel` count from 1. Without a track the default one is used, or the first other one
    that holds sound; without a channel the mean of all that hold sound, or the loudest alone where channels cancel
    each other. A file with two or more channels may be decoded twice. Memory is bounded for any length. `check` is
    called for each packet, and for each block that is read from the audio later; it may raise to stop.

    Raises AudioUnreadable (damaged, empty), AudioFormatUnsupported (container, codec or shape, by name), AudioTruncated
    (`decoder/declared.py` lists the detectable cases), AudioTooLong, AudioTimesInvalid, AudioTrackMissing and
    AudioChannelMissing; `scratch` is then removed.
    """
    try:
        with source.open("rb") as file:
            opened = open_source(file, source.stat().st_size, check)
            with opened.open_part(0) as container:
                candidates = choose_tracks(container, track)
            return _Decoder(
                opened,
                scratch,
                limits,
                track_asked=track is not None,
                participant_channel=participant_channel,
                check=check,
            ).decode(candidates)
    # Also when `check` stops the work.
    except BaseException:
        scratch.unlink(missing_ok=True)
        raise


LOWERED_PEAK = 0.9
"""Peak of a source that is lowered; the resampler needs the room above it."""
MOST_PEAK = 1.1
"""Peak of a channel from which on the level is lowered for it before it is used alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Decoded:
    """A decoded track, numbered from 0, in the scratch file."""

    track: int
    step: DecodePass
    writer: ScratchWriter
    choices: Sequence[ChannelChoice]
    gain: float

    @property
    def main(self) -> int:
        """The index of the longest section."""
        sections = self.writer.sections
        return max(range(len(sections)), key=lambda index: sections[index].seconds)


class _Decoder:
    """The passes over one file: of the tracks in turn until one holds sound, and again where the mean was wrong."""

    def __init__(
        self,
        source: SourceFile,
        scratch: Path,
        limits: AudioLimits,
        *,
        track_asked: bool,
        participant_channel: int | None,
        check: Callable[[], None],
    ) -> None:
        self._source = source
        self._track_asked = track_asked
        self._scratch = scratch
        self._limits = limits
        self._participant_channel = participant_channel
        self._check = check

    def decode(self, candidates: tuple[int, ...]) -> Audio:
        """Decode the first candidate that holds sound; the first of all if none does."""
        default, *others = candidates
        decoded = self._decode_track(default)
        if decoded.writer.peak < SILENT_PEAK:
            decoded = next((sounding for other in others if (sounding := self._if_sounding(other))), None) or (
                self._decode_track(default) if others else decoded
            )  # the scratch file holds the last one that was tried
        return self._audio(decoded, default)

    def _if_sounding(self, track: int) -> _Decoded | None:
        try:
            decoded = self._decode_track(track)
        except RecordingError:
            return None
        return decoded if decoded.writer.peak >= SILENT_PEAK else None

    def _decode_track(self, track: int) -> _Decoded:
        plan = _all_channels if self._participant_channel is None else self._participant_plan
        step, writer = self._pass(track, plan, self._source.gain)
        choices = [section.choose_channels() for section in writer.sections]
        changed = any(choice.channels != section.used for choice, section in zip(choices, writer.sections, strict=True))
        gain = self._source.gain
        if writer.beyond > MOST_BEYOND * writer.samples or (changed and _peak(writer.sections, choices) > MOST_PEAK):
            gain *= LOWERED_PEAK / _peak(writer.sections, choices)
        if changed or gain != self._source.gain:
            step, writer = self._pass(track, lambda index, _channels: choices[index].channels, gain)
        return _Decoded(track=track, step=step, writer=writer, choices=choices, gain=gain)

    def _pass(self, track: int, plan: ChannelPlan, gain: float) -> tuple[DecodePass, ScratchWriter]:
        with self._scratch.open("wb") as output:
            writer = ScratchWriter(output, self._limits, plan, gain)
            step = DecodePass(self._source, track, writer, self._limits, self._check)
            step.run()
        return step, writer

    def _participant_plan(self, _index: int, channels: int) -> tuple[int, ...]:
        channel = self._participant_channel
        if channel is None or not 1 <= channel <= channels:
            raise AudioChannelMissing(
                f"Channel {channel} was named as the participant's; the audio has {channels} "
                f"channel{'s' * (channels != 1)}."
            )
        return (channel - 1,)

    def _audio(self, decoded: _Decoded, default: int) -> Audio:
        sections = decoded.writer.sections
        return Audio(
            path=self._scratch,
            samples=decoded.writer.samples,
            clipped=sum(section.clipped for section in sections),
            not_finite=sum(section.not_finite for section in sections),
            source_samples=sum(section.samples for section in sections),
            gain=decoded.gain,
            source=_describe(decoded.step, decoded.track, sections[decoded.main]),
            notices=self._notices(decoded, default),
            check=self._check,
        )

    def _notices(self, decoded: _Decoded, default: int) -> tuple[Notice, ...]:
        step, choice = decoded.step, decoded.choices[decoded.main]
        notices = (
            track_notice(tracks=step.tracks, used=decoded.track, default=default, asked=self._track_asked),
            antiphase_notice(choice) if choice.antiphase else None,
            silent_channels_notice(choice) if choice.silent else None,
            gaps_notice(step.filled_gaps, step.filled_seconds) if step.filled_gaps else None,
            self._source.notice,
        )
        return tuple(notice for notice in notices if notice is not None)


def _peak(sections: Sequence[SourceSection], choices: Sequence[ChannelChoice]) -> float:
    """The highest magnitude in any channel to be used."""
    return max(section.peak_of(choice.channels) for section, choice in zip(sections, choices, strict=True))


def _all_channels(_index: int, channels: int) -> tuple[int, ...]:
    return tuple(range(channels))


def _describe(step: DecodePass, track: int, section: SourceSection) -> AudioSource:
    return AudioSource(
        container=step.container,
        codec=step.codec,
        sample_rate=section.rate,
        channels=section.channels,
        bits=step.bits,
        bit_rate=step.bit_rate,
        tracks=step.tracks,
        track=track + 1,
        channels_used=tuple(channel + 1 for channel in section.used),
    )
