"""Synthesise the spoken cohort: interviews, files and manifest."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from training.cohort.cohort import CohortRow
from training.cohort.manifest import write_manifest
from training.config import CohortSettings
from training.synthetic.dialogue import Interview, record
from training.synthetic.files import write_audio, write_utterances, write_webvtt
from training.synthetic.speakers import draw_speakers

TASK, CARRIER = "spectrum", "carrier"


def cohort(seed: int, settings: CohortSettings) -> Iterator[Interview]:
    """Generate the interviews of a cohort one by one. Equal arguments give equal interviews."""
    for speaker in draw_speakers(seed, settings):
        yield record(speaker, seed=seed, seconds=settings.seconds)


def write_cohort(folder: Path, seed: int, settings: CohortSettings) -> Path:
    """Write audio, transcripts (WebVTT and JSON) and `manifest.csv`; returns the path of the manifest."""
    for name in ("audio", "transcripts"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    rows = (_write_interview(folder, interview, seed, settings) for interview in cohort(seed, settings))
    return write_manifest(folder / "manifest.csv", rows, tasks=(TASK,), notes=(CARRIER,))


def _write_interview(folder: Path, interview: Interview, seed: int, settings: CohortSettings) -> CohortRow:
    speaker = interview.speaker
    # Recordings come in several formats: a network trained on one format would overfit to its codec.
    rng = np.random.default_rng((seed, 2, speaker.index))
    kinds, shares = zip(*settings.formats.items(), strict=True)
    kind = kinds[rng.choice(len(kinds), p=np.array(shares) / sum(shares))]
    audio, transcript = f"audio/{speaker.person}.{kind}", f"transcripts/{speaker.person}.vtt"
    row = CohortRow(
        person=speaker.person,
        family=speaker.family,
        role=speaker.role,
        labels={TASK: speaker.outcome},
        age=speaker.age,
        sex=speaker.sex,
        device=kind,
        notes={CARRIER: speaker.carrier},
        recording=audio,
        transcript=transcript,
    )
    write_audio(folder / audio, interview.audio, kind, bit_rate=settings.bit_rate)
    write_webvtt(folder / transcript, interview.utterances)
    write_utterances((folder / transcript).with_suffix(".json"), interview.utterances)
    return row
