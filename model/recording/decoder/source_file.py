"""A client's file as the parts that libav opens one after the other: the links of a chain, corrected headers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO

import av

from model.recording.decoder.byte_range import ByteRange
from model.recording.decoder.chunks import correct_size, layout_of
from model.recording.decoder.declared import refuse_truncated
from model.recording.decoder.formats import DECODERS, DEMUXERS, HEAD_BYTES, refuse_container
from model.recording.decoder.notices import stale_header_notice
from model.recording.decoder.ogg import CAPTURE, find_links
from model.recording.decoder.wav import correct_wav, is_wav, read_wav_header
from model.recording.notice import Notice


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFile:
    """An open file of `size` bytes that begins with `head`; `gain` restores the level of its samples.

    `wav_tag` and `wav_bits` are the format tag and the valid bits of a WAV file, `notice` says what was corrected in
    its header.
    """

    file: BinaryIO
    size: int
    head: bytes
    parts: tuple[tuple[int, int], ...]
    patches: dict[int, bytes]
    gain: float
    wav_tag: int | None
    wav_bits: int | None
    notice: Notice | None

    @contextmanager
    def open_part(self, index: int) -> Iterator[av.container.InputContainer]:
        """Open a part with libav. Raises AudioUnreadable, AudioFormatUnsupported by the name of what was found."""
        options = {"format_whitelist": ",".join(DEMUXERS), "codec_whitelist": ",".join(DECODERS)}
        part = ByteRange(self.file, *self.parts[index], patches=self.patches)
        try:
            # Tags in an unknown encoding are no reason to refuse the sound.
            container = av.open(part, "r", options=options, metadata_errors="replace")
        except (av.FFmpegError, EOFError) as error:
            raise refuse_container(self.head) from error
        with container:
            yield container


def open_source(file: BinaryIO, size: int, check: Callable[[], None]) -> SourceFile:
    """Find the parts of a file. Raises AudioTruncated, AudioUnreadable; `check` may raise to stop."""
    refuse_truncated(file, size)
    head = file.read(HEAD_BYTES)
    parts: list[tuple[int, int]] = [(0, size)]
    patches: dict[int, bytes] = {}
    gain, wav_tag, wav_bits, notice = 1.0, None, None, None
    if head.startswith(CAPTURE):
        parts = find_links(file, size, check)
    elif is_wav(head) and (header := read_wav_header(file, size)) is not None:
        correction = correct_wav(file, size, header)
        patches, gain, wav_tag = correction.patches, correction.gain, header.tag
        wav_bits = header.bits
        if correction.stale:
            notice = stale_header_notice()
    elif (layout := layout_of(head)) is not None:
        patches = correct_size(file, size, layout)
        notice = stale_header_notice() if patches else None
    return SourceFile(
        file=file,
        size=size,
        head=head,
        parts=tuple(parts),
        patches=patches,
        gain=gain,
        wav_tag=wav_tag,
        wav_bits=wav_bits,
        notice=notice,
    )
