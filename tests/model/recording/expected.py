"""What is right for the files of `cases/`: who is heard, for how long, and what is said of the file."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

CASES = Path(__file__).parent / "cases"
INTERVIEW = "interview.flac"


@dataclass(frozen=True, kw_only=True)
class Case:
    """A recording of one or two files and what is right: seconds of scored speech, scored words, codes of its flags.

    `hard` is the flag that makes a recording abstain; `options` is what the client says of the recording.
    """

    audio: str | None = INTERVIEW
    transcript: bytes | str | None = None
    seconds: float = 40.62
    words: int = 148
    soft: tuple[str, ...] = ()
    hard: tuple[str, ...] = ()
    options: dict[str, object] = field(default_factory=dict)

    def audio_path(self) -> Path | None:
        return None if self.audio is None else CASES / self.audio

    def transcript_bytes(self) -> bytes | None:
        return (CASES / self.transcript).read_bytes() if isinstance(self.transcript, str) else self.transcript


def words_of(name: str, *soft: str, **right: Any) -> Case:
    """The reference's audio with this transcript."""
    return Case(transcript=name, soft=soft, **right)


def sound_of(name: str, seconds: float, *soft: str, **right: Any) -> Case:
    """A recording without a transcript."""
    return Case(audio=name, seconds=seconds, words=0, soft=("transcript_missing", *soft), **right)


def refused(code: str, **files: Any) -> Case:
    """A recording of which nothing is scored."""
    return Case(seconds=0, words=0, hard=(code,), **files)


# A voice tag that is never closed: an expression with two ways to skip blanks would need hours.
VOICE_OF_BLANKS = b"WEBVTT\n\n00:00:00.000 --> 00:00:10.000\n<v" + b" " * 400_000 + b"I slept badly and felt tired.\n"

RIGHT = {
    "interview.vtt": words_of("interview.vtt"),
    "level_normal.opus": Case(audio="level_normal.opus", transcript="interview.vtt"),
    "level_minus24dB.opus": Case(audio="level_minus24dB.opus", transcript="interview.vtt"),
    "daic_TRANSCRIPT.csv": words_of("daic_TRANSCRIPT.csv"),
    "session.TextGrid": words_of("session.TextGrid"),
    "subs.ass": words_of("subs.ass"),
    "no_blank_between_cues.srt": words_of("no_blank_between_cues.srt"),
    "zoom_dr_label.vtt": words_of("zoom_dr_label.vtt"),
    "tiny_negative_start.json": words_of("tiny_negative_start.json", "transcript_time_clamped"),
    "participant_only.vtt": words_of("participant_only.vtt", "speech_outside_transcript"),
    "one_untimed_segment.json": words_of("one_untimed_segment.json", "transcript_times_filled"),
    "otter.txt": words_of("otter.txt", "transcript_ends_estimated", "transcript_credit_skipped"),
    "no_fractions.srt": words_of("no_fractions.srt"),
    "null_text.json": words_of(
        "null_text.json", "transcript_text_missing", "speech_outside_transcript", seconds=35.4, words=129
    ),
    "overlapping_cues.vtt": words_of("overlapping_cues.vtt", "speakers_overlap", seconds=35.6),
    "chinese.vtt": words_of("chinese.vtt", "language_not_supported", words=168),
    "whisper.tsv": words_of("whisper.tsv", seconds=55.2, words=191),
    "space_only_line.vtt": words_of("space_only_line.vtt", "transcript_repeats_removed", seconds=55.2, words=191),
    "style_blank_line.vtt": words_of("style_blank_line.vtt", "transcript_cue_skipped", seconds=55.2, words=191),
    "sentinel_end.vtt": words_of(
        "sentinel_end.vtt", "transcript_end_bounded", "speech_outside_transcript", seconds=25.0, words=38
    ),
    "assemblyai_ms.json, B named": words_of("assemblyai_ms.json", options={"participant": "B"}),
    "assemblyai_ms.json": words_of(
        "assemblyai_ms.json", "transcript_too_short", seconds=0, words=0, hard=("participant_unknown",)
    ),
    "negative_first.srt": refused("transcript_unreadable", transcript="negative_first.srt"),
    "vtt_voice_spaces.vtt": refused("transcript_unreadable", transcript=VOICE_OF_BLANKS),
    "antiphase.opus": sound_of("antiphase.opus", 27.2, "antiphase_channels"),
    "chained_other_rate.ogg": sound_of("chained_other_rate.ogg", 27.1),
    "header_never_updated.wav": sound_of("header_never_updated.wav", 16.5, "audio_header_corrected"),
    "gsm610.wav": sound_of("gsm610.wav", 27.2, "narrow_bandwidth"),
    "zero_padding.mp3": sound_of("zero_padding.mp3", 27.2),
    "dc_offset.flac": sound_of("dc_offset.flac", 15.2),
    "extensible_24in32.wav": sound_of("extensible_24in32.wav", 4.8, hard=("speech_too_short",)),
    "two_tracks.mkv": sound_of("two_tracks.mkv", 6.8, "audio_tracks_left_out", hard=("speech_too_short",)),
    "webm_timestamp_jump_3.9h.webm": refused("audio_times_invalid", audio="webm_timestamp_jump_3.9h.webm"),
    "flac_total_samples_max.flac": refused("audio_unreadable", audio="flac_total_samples_max.flac"),
}
