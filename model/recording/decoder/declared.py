"""The length that an audio file declares, so that a truncated upload is refused and not scored.

Every container has its own check, because libav reports the length of a truncated file differently in each:

- WAV: libav silently shortens the duration to the bytes present, so the data chunk's size is read here.
- Ogg: the duration comes from the last page present, so a truncation shows only as an incomplete last page.
- AIFF, CAF, Wave64: the sound chunk declares its size (`chunks.py`).
- MP4/M4A: boxes declare their size; a truncated file with its index at the end cannot be opened at all.
- FLAC (total samples), MP3 with a Xing, Info or VBRI header, Matroska/WebM with a duration: libav reports it.

Not detectable: a raw AAC stream, an MP3 without such a header, a live WebM without a duration, a FLAC or WAV
written to a pipe (length unknown), and an Ogg stream truncated exactly between two pages.
"""

from __future__ import annotations

import struct
from typing import BinaryIO

import av

from model.errors import AudioTruncated
from model.recording.decoder.byte_range import ByteRange
from model.recording.decoder.chunks import MOST_CHUNKS
from model.recording.decoder.wav import is_wav, read_wav_header, riff_chunks

TOLERATED_SECONDS = 1.0
TOLERATED_SHARE = 0.02
CHUNK_HEAD = 16
SHORTEST_BOX = 8
ID3_HEADER = 10
LARGEST_OGG_PAGE = 65_307
OGG_HEADER = 27
MP4_BOXES = frozenset(b"ftyp moov mdat free skip wide udta moof mfra sidx uuid meta styp pdin emsg ssix prft".split())


def is_truncated(declared: float, present: float) -> bool:
    """Whether the `present` seconds are clearly fewer than the `declared` ones."""
    return declared - present > max(TOLERATED_SECONDS, TOLERATED_SHARE * declared)


def refuse_truncated(file: BinaryIO, size: int) -> None:
    """Raise AudioTruncated if a WAV, Ogg or MP4 file is shorter than its structure declares."""
    file.seek(0)
    head = file.read(12)
    if is_wav(head):
        cut = _wav_is_cut(file, size)
    elif head[:4] == b"OggS":
        cut = _ogg_is_cut(file, size)
    elif head[4:8] == b"ftyp":
        cut = _mp4_is_cut(file, size)
    else:
        cut = False
    file.seek(0)
    if cut:
        raise AudioTruncated("The file ends before its own structure says it should.")


def declared_seconds(container: av.container.InputContainer, stream: av.AudioStream, file: ByteRange) -> float | None:
    """The length that the header declares, in seconds; None if it declares none or an estimate."""
    name = container.format.name
    if name.startswith("matroska"):
        # The duration of the container is that of its longest track, which may be a video.
        alone = len(container.streams) == 1
        return float(container.duration / av.time_base) if alone and container.duration else None
    # Without such a header libav estimates the length from the bit rate.
    if name == "mp3" and not _has_mp3_length(file):
        return None
    if name in {"flac", "mp3"} or name.startswith("mov"):
        return float(stream.duration * stream.time_base) if stream.duration else None
    return None


def _wav_is_cut(file: BinaryIO, size: int) -> bool:
    header = read_wav_header(file, size)
    if header is not None and header.byte_rate and header.declared is not None:
        present = size - header.data_at
        if is_truncated(header.declared / header.byte_rate, present / header.byte_rate):
            return True
    # libav would allocate as much memory as the list of tags declares.
    return any(name == b"LIST" and position + length > size for name, position, length in riff_chunks(file, size))


def _ogg_is_cut(file: BinaryIO, size: int) -> bool:
    start = max(0, size - LARGEST_OGG_PAGE)
    file.seek(start)
    tail = file.read(LARGEST_OGG_PAGE)
    at = tail.rfind(b"OggS")
    if at < 0:
        return False
    page = tail[at:]
    if len(page) < OGG_HEADER or len(page) < OGG_HEADER + page[26]:
        return True
    return len(page) < OGG_HEADER + page[26] + sum(page[OGG_HEADER : OGG_HEADER + page[26]])


def _mp4_is_cut(file: BinaryIO, size: int) -> bool:
    position = 0
    for _ in range(MOST_CHUNKS):
        if position + CHUNK_HEAD > size:
            break
        file.seek(position)
        header = file.read(CHUNK_HEAD)
        length, name = struct.unpack_from(">I4s", header)
        if length == 1 and len(header) == CHUNK_HEAD:
            length = struct.unpack_from(">Q", header, 8)[0]
        if name not in MP4_BOXES or length < SHORTEST_BOX:
            return False
        position += length
    return position > size


def _has_mp3_length(file: ByteRange) -> bool:
    """Whether the first MPEG frame carries a Xing, Info or VBRI header."""
    file.seek(0)
    head = file.read(ID3_HEADER)
    skip = 0
    if head[:3] == b"ID3" and len(head) == ID3_HEADER:
        # The size in an ID3 header has seven bits a byte.
        a, b, c, d = head[6:]
        skip = ID3_HEADER + (a << 21 | b << 14 | c << 7 | d)
    file.seek(skip)
    frame = file.read(2048)
    return any(mark in frame for mark in (b"Xing", b"Info", b"VBRI"))
