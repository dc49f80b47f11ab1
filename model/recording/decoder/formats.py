"""The containers and codecs that are read, their names, and the refusals that name what was found instead."""

from __future__ import annotations

import struct
from collections.abc import Sequence

import av

from model.errors import AudioFormatUnsupported, AudioUnreadable

HEAD_BYTES = 4096
STREAMINFO_END = 26
DEMUXERS = (
    *("wav", "w64", "aiff", "caf", "au", "flac", "mp3", "ogg", "mov", "matroska", "aac"),
    *("amr", "asf", "ac3", "eac3"),
)
"""docs/decisions/0048 says why these, and no others that libav knows."""
DECODERS = (
    *("pcm_u8", "pcm_s8", "pcm_s16le", "pcm_s24le", "pcm_s32le", "pcm_f32le", "pcm_f64le"),
    *("pcm_s16be", "pcm_s24be", "pcm_s32be", "pcm_f32be", "pcm_f64be", "pcm_f24le", "pcm_alaw", "pcm_mulaw"),
    *("adpcm_ms", "adpcm_ima_wav", "adpcm_ima_qt", "g722", "g726", "gsm", "gsm_ms", "amrnb", "amrwb"),
    *("flac", "alac", "mp2", "mp2float", "mp3", "mp3float", "aac", "opus", "vorbis"),
    *("wmav1", "wmav2", "ac3", "eac3"),
)
CODEC_NAMES = {
    "mp2float": "mp2",
    "mp3float": "mp3",
    "gsm_ms": "gsm",
    "amrnb": "amr_nb",
    "amrwb": "amr_wb",
    "g722": "g722",
    "g726": "g726",
    "pcm_f24le": "pcm_f24le",
}
"""Names of libav's decoders that are not the codec's."""
CONTAINER_NAMES = {"mov": "mp4", "ac3": "ac3", "aac": "aac"}
"""Names of libav's demuxers that are not the container's."""
PCM_BITS = {"pcm_alaw": 8, "pcm_mulaw": 8, "pcm_f24le": 24}
INTEGER_FORMAT_BITS = {"s16": 16, "s16p": 16}
FOREIGN = (
    (0, b"FLV\x01", "a Flash video (FLV)"),
    (0, b"\x00\x00\x01\xba", "an MPEG program stream"),
    (0, b".RMF", "RealMedia"),
    (0, b"MAC ", "Monkey's Audio (APE)"),
    (0, b"wvpk", "WavPack"),
    (0, b"TTA1", "True Audio (TTA)"),
    (0, b"\x02dss", "an Olympus DSS dictation"),
    (0, b"\x03ds2", "an Olympus DS2 dictation"),
    (0, b"\x02#!SILK", "a SILK voice message"),
    (0, b"#!SILK", "a SILK voice message"),
    (0, b"Creative Voice File", "a Creative voice file (VOC)"),
    (0, b"NIST_1A", "a NIST SPHERE file"),
    (0, b"MThd", "a MIDI file"),
    (0, b"DSD ", "a DSD file"),
    (0, b"%PDF", "a PDF document"),
    (0, b"PK\x03\x04", "a ZIP archive or an Office document"),
    (0, b"\x1f\x8b", "a gzip archive"),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
    (0, b"Rar!", "a RAR archive"),
    (0, b"\x89PNG", "a PNG image"),
    (0, b"\xff\xd8\xff", "a JPEG image"),
    (0, b"GIF8", "a GIF image"),
    (0, b"{\\rtf", "an RTF document"),
    (0, b"WEBVTT", "a WebVTT transcript"),
    (0, b"#EXTM3U", "a playlist"),
    (8, b"AVI ", "an AVI video"),
    (8, b"WEBP", "a WebP image"),
    (4, b"ftypheic", "a HEIC image"),
    (4, b"ftypavif", "an AVIF image"),
)
"""First bytes of files that are no accepted audio: their offset, the bytes, and the name for the sender."""
ACCEPTED = (
    (8, b"WAVE", "WAV"),
    (0, b"fLaC", "FLAC"),
    (0, b"OggS", "Ogg"),
    (4, b"ftyp", "MP4"),
    (0, b"\x1a\x45\xdf\xa3", "Matroska or WebM"),
    (0, b"ID3", "MP3"),
    (0, b"\xff", "MP3 or AAC"),
    (8, b"AIF", "AIFF"),
    (0, b"caff", "CAF"),
    (0, b"#!AMR", "AMR"),
    (0, b".snd", "AU"),
    (0, b"\x30\x26\xb2\x75", "WMA"),
    (0, b"\x0b\x77", "AC-3"),
    (0, b"riff", "Wave64"),
)
TS_SYNC = b"\x47"
TS_PACKET = 188


def refuse_container(head: bytes) -> AudioUnreadable:
    """The refusal of a file that begins with `head` and that libav does not open, by the name of what it is."""
    foreign = _name_of(head, FOREIGN)
    if foreign is not None:
        return AudioFormatUnsupported(f"The file is {foreign}, which is not read.")
    if head[:1] == TS_SYNC == head[TS_PACKET : TS_PACKET + 1]:
        return AudioFormatUnsupported("The file is an MPEG transport stream, which is not read.")
    accepted = _name_of(head, ACCEPTED)
    if accepted is not None:
        return AudioUnreadable(f"The file begins like {accepted}, and its header is damaged or incomplete.")
    return AudioFormatUnsupported("The file does not begin like any audio format that is read.")


def _name_of(head: bytes, names: Sequence[tuple[int, bytes, str]]) -> str | None:
    return next((name for offset, magic, name in names if head[offset : offset + len(magic)] == magic), None)


def refuse_codec(stream: av.AudioStream, container: str, wav_tag: int | None) -> AudioFormatUnsupported:
    """The refusal of a track by the name of its codec, or by the format tag of a WAV file."""
    context = stream.codec_context
    if context is not None:
        name = f"the codec {codec_name(context.codec.name)}"
    elif wav_tag is not None:
        name = f"a codec with the WAV format tag 0x{wav_tag:04X}"
    else:
        name = "an unknown codec"
    return AudioFormatUnsupported(f"The {container} file holds audio in {name}, which is not read.")


def codec_name(decoder: str) -> str:
    """The lower-case name of the codec of a decoder."""
    return CODEC_NAMES.get(decoder, decoder)


def container_name(demuxer: str, head: bytes) -> str:
    """The lower-case name of the container of a demuxer; `head` is the beginning of the file."""
    first = demuxer.split(",", maxsplit=1)[0]
    if first == "matroska" and b"webm" in head[:64]:
        return "webm"
    return CONTAINER_NAMES.get(first, first)


def sample_bits(decoder: str, sample_format: str | None, head: bytes) -> int | None:
    """Bits of a sample before decoding: of PCM, FLAC and ALAC; None for lossy codecs and where it is not known."""
    if decoder in PCM_BITS:
        return PCM_BITS[decoder]
    if decoder.startswith("pcm_"):
        digits = "".join(letter for letter in decoder[5:] if letter.isdigit())
        return int(digits) if digits else None
    if decoder == "flac" and head[:4] == b"fLaC" and len(head) >= STREAMINFO_END:
        packed = struct.unpack_from(">Q", head, 18)[0]
        return int(packed >> 36 & 31) + 1  # RFC 9639, 8.2
    if decoder in {"flac", "alac"}:
        return INTEGER_FORMAT_BITS.get(sample_format or "")
    return None
