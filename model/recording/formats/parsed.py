"""What every parser of a format returns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from model.recording.notice import Notice
from model.recording.utterance import Utterance


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedTranscript:
    """Utterances in the order of the file, times in seconds.

    `format` is the stable name of the format, `time_unit` the unit that the file counts in (None without times),
    `notices` what was skipped or assumed.
    """

    format: str
    time_unit: str | None
    utterances: Sequence[Utterance]
    notices: tuple[Notice, ...] = ()


def count_notice(code: str, message: str, places: Sequence[str]) -> tuple[Notice, ...]:
    """One notice about parts of a file, with their number and the place of the first; none without places."""
    if not places:
        return ()
    return (Notice(code=code, message=f"{message}: {len(places)} (first: {places[0]})."),)
