"""Streaming decoder of untrusted audio files into the scratch file.

Sample times follow the clock of the container, which transcripts refer to: the encoder delay of MP3, AAC in MP4 and
Opus is trimmed as the file declares it, and gaps between timestamps become silence. A raw AAC stream, and an MP3
without the header for it, declare no delay; they run 25 to 50 ms late.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import av

from model.config import AudioLimits
from model.errors import AudioTooLong, AudioTruncated, AudioUnreadable
from model.recording.audio import Audio
from model.recording.declared import declared_seconds, is_truncated, refuse_truncated
from model.recording.scratch import ScratchWriter

DEMUXERS = ("wav", "flac", "mp3", "ogg", "mov", "matroska", "aac")
DECODERS = (
    *("pcm_u8", "pcm_s16le", "pcm_s24le", "pcm_s32le", "pcm_f32le", "pcm_f64le", "pcm_alaw", "pcm_mulaw"),
    *("flac", "alac", "mp3", "mp3float", "aac", "opus", "vorbis"),
)
GAP = 0.1
MOST_DAMAGED = 0.05


def decode(source: Path, scratch: Path, limits: AudioLimits) -> Audio:
    """Decode `source`, whatever its name, to mono 16 kHz PCM in the new file `scratch`.

    Memory is bounded for any length. Raises AudioUnreadable (format not accepted, damaged, empty), AudioTruncated
    (`model/recording/declared.py` lists the detectable cases) and AudioTooLong; `scratch` is then removed.
    """
    try:
        with source.open("rb") as file, scratch.open("wb") as output:
            refuse_truncated(file, source.stat().st_size)
            writer = ScratchWriter(output, limits)
            _decode_file(file, writer, limits)
    except BaseException:
        scratch.unlink(missing_ok=True)
        raise
    return Audio(
        path=scratch,
        samples=writer.samples,
        clipped=writer.clipped,
        not_finite=writer.not_finite,
        source_samples=writer.source_samples,
    )


class _AnonymousFile:
    """A file without a name for libav, so that probing depends on the content and not on the suffix."""

    def __init__(self, file: BinaryIO) -> None:
        self.read = file.read
        self.seek = file.seek
        self.tell = file.tell


@dataclass(slots=True, kw_only=True)
class _Progress:
    """State of the decoding of a stream; `origin` is the timestamp, in seconds, of the recording's start."""

    origin: float
    packets: int = 0
    damaged: int = 0


def _decode_file(file: BinaryIO, writer: ScratchWriter, limits: AudioLimits) -> None:
    options = {"format_whitelist": ",".join(DEMUXERS), "codec_whitelist": ",".join(DECODERS)}
    try:
        with av.open(_AnonymousFile(file), "r", options=options, metadata_errors="replace") as container:
            stream = _audio_stream(container)
            position = file.tell()
            declared = declared_seconds(container, stream, file)
            file.seek(position)
            if declared is not None and declared > limits.seconds:
                raise AudioTooLong("The audio is longer than the longest accepted recording.")
            progress = _decode_stream(container, stream, writer)
    except (av.FFmpegError, EOFError) as error:
        raise AudioUnreadable("The file is not audio in an accepted format, or it is damaged.") from error
    if declared is not None and is_truncated(declared, writer.seconds):
        raise AudioTruncated("The audio ends before its header says it should.")
    if not writer.samples:
        raise AudioUnreadable("The file holds no audio.")
    if progress.damaged > MOST_DAMAGED * progress.packets:
        raise AudioUnreadable("Too much of the audio is damaged.")


def _audio_stream(container: av.container.InputContainer) -> av.AudioStream:
    if not container.streams.audio:
        raise AudioUnreadable("The file has no audio track.")
    stream: av.AudioStream = container.streams.audio[0]
    if stream.codec_context is None or stream.codec_context.codec.name not in DECODERS:
        raise AudioUnreadable("The audio track's codec is not accepted.")
    return stream


def _decode_stream(container: av.container.InputContainer, stream: av.AudioStream, writer: ScratchWriter) -> _Progress:
    """Decode packet by packet; skip and count damaged packets, as players do."""
    progress = _Progress(origin=(container.start_time or 0) / av.time_base)
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets, None)
            if packet is None:
                break
            progress.packets += 1
            frames = packet.decode()
        except av.FFmpegError:
            progress.damaged += 1
            continue
        for frame in frames:
            _append_at_timestamp(frame, writer, progress)
    writer.finish()
    return progress


def _append_at_timestamp(frame: av.AudioFrame, writer: ScratchWriter, progress: _Progress) -> None:
    """Append a frame at its timestamp; a timestamp that goes backwards starts a new origin."""
    if frame.pts is not None and frame.time_base:
        gap = float(frame.pts * frame.time_base) - progress.origin - writer.seconds
        if gap > GAP:
            writer.silence(gap)
        elif gap < -GAP:
            progress.origin += gap
    writer.add(frame)
