"""Transcripts of all accepted formats, as one sequence of utterances; the content decides the format."""

from __future__ import annotations

from dataclasses import dataclass

from model.config import AudioLimits
from model.errors import TranscriptTooLong, TranscriptUnreadable
from model.recording.formats.detection import parse_text
from model.recording.formats.parsed import ParsedTranscript
from model.recording.formats.text_encoding import decode_text
from model.recording.notice import Notice
from model.recording.speaker_labels import name_speakers
from model.recording.transcript_times import settle_times
from model.recording.utterance import Utterance
from model.recording.words import count_words

__all__ = ["Transcript", "Utterance", "parse_transcript"]

# Words a second: typical speech for a text without times, and more than anybody speaks for a text with times.
TYPICAL_RATE, FASTEST_RATE = 2.5, 10.0
# Utterances and lines a second; a transcript with a time for each word has about three.
MOST_LINES = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Transcript:
    """The utterances in order of time; without times in the order of the file.

    `format` is the stable name of the format that was found (docs/transcripts.md), `time_unit` the unit in which the
    file counts time (None without times), `notices` what was skipped, repaired or assumed.
    """

    utterances: tuple[Utterance, ...]
    format: str = "json"
    time_unit: str | None = None
    notices: tuple[Notice, ...] = ()

    @property
    def timed(self) -> bool:
        """Whether every utterance has a start and an end."""
        return all(utterance.start is not None and utterance.end is not None for utterance in self.utterances)

    @property
    def words(self) -> int:
        """Number of words of all speakers, counted as their script asks."""
        return sum(count_words(utterance.text) for utterance in self.utterances)


def parse_transcript(content: bytes, limits: AudioLimits) -> Transcript:
    """Parse a transcript of any format of docs/transcripts.md; the content decides.

    Raises TranscriptUnreadable with the number of the malformed line or item, and TranscriptTooLong if the speech or
    the last end exceeds `limits.seconds`. Messages contain no words of the transcript.
    """
    text, encoding_notices = decode_text(content)
    parsed = parse_text(text, limits.seconds)
    _require_number(sum(utterance.text.count("\n") + 1 for utterance in parsed.utterances), limits.seconds)
    named = parsed.utterances if _labels_are_settled(parsed) else name_speakers(parsed.utterances)
    spoken = [tidy for utterance in named if (tidy := _on_one_line(utterance)).text]
    if not any(character.isalnum() for utterance in spoken for character in utterance.text):
        raise TranscriptUnreadable("The transcript holds no words.")
    utterances, time_notices = settle_times(spoken, format_name=parsed.format, longest=limits.seconds)
    timed = utterances[0].start is not None
    transcript = Transcript(
        utterances=utterances,
        format=parsed.format,
        time_unit=parsed.time_unit if timed else None,
        notices=(*encoding_notices, *parsed.notices, *time_notices),
    )
    _require_length(transcript, limits.seconds)
    return transcript


def _labels_are_settled(parsed: ParsedTranscript) -> bool:
    """Whether the parser found the speakers, or looked for labels itself as that of prose does."""
    return parsed.format == "plain_text" or any(utterance.speaker for utterance in parsed.utterances)


def _on_one_line(utterance: Utterance) -> Utterance:
    words = " ".join(utterance.text.split())
    return Utterance(start=utterance.start, end=utterance.end, text=words, speaker=utterance.speaker)


def _require_number(lines: int, longest: float) -> None:
    if lines > MOST_LINES * longest:
        raise TranscriptTooLong(
            f"The transcript has {lines} utterances or lines; at most {longest:.0f} s of speech are accepted."
        )


def _require_length(transcript: Transcript, longest: float) -> None:
    words = transcript.words
    end = max(utterance.end or 0.0 for utterance in transcript.utterances)
    speech = words / (FASTEST_RATE if transcript.timed else TYPICAL_RATE)
    if max(end, speech) > longest:
        claim = f"ends at {end:.0f} s" if end > longest else f"has {words} words, about {speech:.0f} s of speech"
        raise TranscriptTooLong(f"The transcript {claim}; at most {longest:.0f} s are accepted.")
