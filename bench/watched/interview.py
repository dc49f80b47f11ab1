"""A synthetic interview of any length, on disk and on its way to a service."""

from __future__ import annotations

from pathlib import Path

import httpx

from training.config import CohortSettings
from training.synthetic.dialogue import record
from training.synthetic.files import write_flac, write_webvtt
from training.synthetic.speakers import draw_speakers


def write_interview(folder: Path, *, seed: int, minutes: float) -> None:
    """Write `interview.flac` and `interview.vtt`; the minutes are of the participant's speech."""
    folder.mkdir(exist_ok=True)
    speaker = draw_speakers(seed, CohortSettings(speakers=1))[0]
    interview = record(speaker, seed=seed, seconds=minutes * 60)
    write_flac(folder / "interview.flac", interview.audio)
    write_webvtt(folder / "interview.vtt", interview.utterances)


def post_interview(client: httpx.Client, folder: Path) -> str:
    """Submit it; returns the location of the assessment."""
    with (folder / "interview.flac").open("rb") as audio:
        files = {"audio": audio, "transcript": (folder / "interview.vtt").read_bytes()}
        return client.post("/v1/assessments", files=files).raise_for_status().headers["location"]
