"""One pass over a source file: all packets of one track, in all its parts, into the scratch writer."""

from __future__ import annotations

from collections.abc import Callable

import av

from model.config import AudioLimits
from model.errors import AudioTooLong, AudioTruncated, AudioUnreadable
from model.recording.decoder.byte_range import ByteRange
from model.recording.decoder.declared import declared_seconds, is_truncated
from model.recording.decoder.formats import DECODERS, codec_name, container_name, refuse_codec, sample_bits
from model.recording.decoder.scratch import ScratchWriter
from model.recording.decoder.source_file import SourceFile
from model.recording.decoder.timeline import Timeline

MOST_DAMAGED = 0.05


class DecodePass:
    """Decodes a track (numbered from 0) of a file into a writer, packet by packet, and keeps what it has met.

    The names, bits and bit rate are those of the first part. `filled_seconds` are the silence in `filled_gaps` gaps
    of the timestamps that are long enough to tell. `check` is called for each packet and may raise to stop.
    """

    def __init__(
        self, source: SourceFile, track: int, writer: ScratchWriter, limits: AudioLimits, check: Callable[[], None]
    ) -> None:
        self._source = source
        self._track = track
        self._writer = writer
        self._limits = limits
        self._check = check
        self._packets = 0
        self._damaged = 0
        self.container = ""
        self.codec = ""
        self.bits: int | None = None
        self.bit_rate: int | None = None
        self.tracks = 0
        self.filled_seconds = 0.0
        self.filled_gaps = 0

    def run(self) -> None:
        """Decode all parts. Raises AudioUnreadable, AudioTruncated, AudioTooLong, AudioTimesInvalid."""
        for index in range(len(self._source.parts)):
            self._decode_part(index)
        self._writer.finish()
        if not self._writer.samples:
            raise AudioUnreadable(f"The {self.container} file holds no audio in its track {self._track + 1}.")
        if self._damaged > MOST_DAMAGED * self._packets:
            raise AudioUnreadable(
                f"{self._damaged} of {self._packets} packets of the {self.codec} audio in the {self.container} file "
                "are damaged."
            )

    def _decode_part(self, index: int) -> None:
        before, sections = self._writer.seconds, len(self._writer.sections)
        try:
            with self._source.open_part(index) as container:
                stream = self._stream(container)
                declared = self._declared(container, stream)
                timeline = Timeline(self._writer, container)
                self._decode_packets(container, stream, timeline)
        except (av.FFmpegError, EOFError) as error:
            raise AudioUnreadable(f"The {self.container or 'audio'} file is damaged.") from error
        self.filled_seconds += timeline.reported
        self.filled_gaps += timeline.reported_gaps
        # A length is computed with one rate, so it says nothing of a part that changes its rate on the way.
        steady = len(self._writer.sections) <= sections + 1
        if steady and declared is not None and is_truncated(declared, self._writer.seconds - before):
            raise AudioTruncated(
                f"The header declares {declared:.1f} s of audio; {self._writer.seconds - before:.1f} s are there."
            )

    def _stream(self, container: av.container.InputContainer) -> av.AudioStream:
        """The track in this part; a later link of a chain may have fewer."""
        streams = container.streams.audio
        name = container_name(container.format.name, self._source.head)
        if not streams:
            raise AudioUnreadable(f"A part of the {name} file has no audio track.")
        stream: av.AudioStream = streams[min(self._track, len(streams) - 1)]
        if stream.codec_context is None or stream.codec_context.codec.name not in DECODERS:
            raise refuse_codec(stream, name, self._source.wav_tag)
        if not self.container:
            self._describe(container, stream, name)
        return stream

    def _describe(self, container: av.container.InputContainer, stream: av.AudioStream, name: str) -> None:
        context = stream.codec_context
        decoder = context.codec.name
        sample_format = None if context.format is None else context.format.name
        self.container = name
        self.codec = codec_name(decoder)
        self.bits = sample_bits(decoder, sample_format, self._source.head)
        if self.bits is not None:
            self.bits = self._source.wav_bits or self.bits
        self.tracks = len(container.streams.audio)
        # The bit rate of the container counts all its tracks.
        alone = len(container.streams) == 1 and len(self._source.parts) == 1
        self.bit_rate = context.bit_rate or (container.bit_rate if alone else None) or None

    def _declared(self, container: av.container.InputContainer, stream: av.AudioStream) -> float | None:
        """The seconds that the header declares. Raises AudioTooLong before anything is decoded."""
        declared = declared_seconds(container, stream, ByteRange(self._source.file, 0, self._source.size))
        if declared is not None and declared > self._limits.seconds:
            raise AudioTooLong(
                f"The header declares {declared:.0f} s of audio; at most {self._limits.seconds:.0f} s are accepted."
            )
        return declared

    def _decode_packets(
        self, container: av.container.InputContainer, stream: av.AudioStream, timeline: Timeline
    ) -> None:
        """Decode packet by packet; skip and count damaged packets, as players do."""
        packets = container.demux(stream)
        while True:
            self._check()
            try:
                packet = next(packets, None)
                if packet is None:
                    return
                self._packets += 1
                frames = packet.decode()
            except av.FFmpegError:
                self._damaged += 1
                continue
            for frame in frames:
                timeline.append(frame)
