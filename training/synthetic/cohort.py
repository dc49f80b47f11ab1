"""The synthetic spoken cohort: speakers one after another, and the folder a cohort is written to."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from training.cohort import CohortRow, write_manifest
from training.config import CohortSettings
from training.synthetic.dialogue import Interview, record
from training.synthetic.files import write_flac, write_utterances, write_webvtt
from training.synthetic.speakers import draw_speakers


def cohort(seed: int, settings: CohortSettings) -> Iterator[Interview]:
    """The interviews of a cohort, each spoken when it is asked for; equal arguments give equal interviews."""
    for speaker in draw_speakers(seed, settings):
        yield record(speaker, seed=seed, seconds=settings.seconds)


def write_cohort(folder: Path, seed: int, settings: CohortSettings) -> Path:
    """Writes audio, transcripts (WebVTT and JSON) and `manifest.csv`, whose path it returns."""
    for name in ("audio", "transcripts"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    return write_manifest(folder / "manifest.csv", (_write_interview(folder, one) for one in cohort(seed, settings)))


def _write_interview(folder: Path, interview: Interview) -> CohortRow:
    speaker = interview.speaker
    row = CohortRow(
        person=speaker.person,
        family=speaker.family,
        role=speaker.role,
        outcome=speaker.outcome,
        carrier=speaker.carrier,
        recording=f"audio/{speaker.person}.flac",
        transcript=f"transcripts/{speaker.person}.vtt",
    )
    write_flac(folder / row.recording, interview.audio)
    write_webvtt(folder / row.transcript, interview.utterances)
    write_utterances((folder / row.transcript).with_suffix(".json"), interview.utterances)
    return row
