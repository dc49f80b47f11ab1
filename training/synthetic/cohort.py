"""The synthetic spoken cohort: speakers one after another, and the folder a cohort is written to."""

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
    """The interviews of a cohort, each spoken when it is asked for; equal arguments give equal interviews."""
    for speaker in draw_speakers(seed, settings):
        yield record(speaker, seed=seed, seconds=settings.seconds)


def write_cohort(folder: Path, seed: int, settings: CohortSettings) -> Path:
    """Writes audio, transcripts (WebVTT and JSON) and `manifest.csv`, whose path it returns."""
    for name in ("audio", "transcripts"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    rows = (_write_interview(folder, interview, seed, settings) for interview in cohort(seed, settings))
    return write_manifest(folder / "manifest.csv", rows, tasks=(TASK,), notes=(CARRIER,))


def _write_interview(folder: Path, interview: Interview, seed: int, settings: CohortSettings) -> CohortRow:
    speaker = interview.speaker
    # Devices and apps differ: a network that only ever saw one format would take its codec for a sign.
    chance = np.random.default_rng((seed, 2, speaker.index))
    kinds, shares = zip(*settings.formats.items(), strict=True)
    kind = kinds[chance.choice(len(kinds), p=np.array(shares) / sum(shares))]
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
