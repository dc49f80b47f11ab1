from pathlib import Path

import av
import numpy as np
import pytest
import webvtt

from model.config import AudioLimits, QualitySettings, SegmentSettings
from model.recording.reading import read_recording
from model.segments.cutting import segment
from training.cohort.manifest import CohortRequirements, inspect_manifest, read_cohort
from training.synthetic.cohort import write_cohort
from training.synthetic.example_cohort import EXAMPLE, EXAMPLE_SEED
from training.synthetic.sentences import OUTCOMES
from training.synthetic.speakers import draw_speakers

FOLDER = Path("examples/cohort")


@pytest.fixture(scope="module")
def cohort():
    return read_cohort(FOLDER / "manifest.csv")


def decode(path):
    with av.open(str(path)) as container:
        return np.concatenate([frame.to_ndarray()[0] for frame in container.decode(audio=0)])


def spoken_seconds(path):
    cues = [cue for cue in webvtt.read(path).captions if cue.voice == "Participant"]
    return sum(cue.end_in_seconds - cue.start_in_seconds for cue in cues)


def test_nothing_is_wrong_with_it_and_every_outcome_is_in_five_families():
    wanted = CohortRequirements(task="spectrum", outcomes=OUTCOMES)
    assert inspect_manifest(FOLDER / "manifest.csv", wanted).problems == ()


def test_it_is_small_and_holds_parents_and_offspring(cohort):
    assert sum(file.stat().st_size for file in FOLDER.rglob("*")) <= 2.5e6
    assert len(cohort) == 24
    assert min(len(cohort.with_role(role)) for role in ("parent", "offspring")) >= 10


def test_it_describes_the_speakers_that_its_command_draws(cohort):
    speakers = draw_speakers(EXAMPLE_SEED, EXAMPLE)
    described = [(row.person, row.family, row.role, row.labels["spectrum"], row.age, row.sex) for row in cohort.rows]
    assert described == [(one.person, one.family, one.role, one.outcome, one.age, one.sex) for one in speakers]


def test_its_first_recording_is_what_its_command_makes(cohort, tmp_path, monkeypatch):
    first = draw_speakers(EXAMPLE_SEED, EXAMPLE)[:1]
    monkeypatch.setattr("training.synthetic.cohort.draw_speakers", lambda seed, settings: first)
    made = read_cohort(write_cohort(tmp_path, EXAMPLE_SEED, EXAMPLE))
    assert made.rows == cohort.rows[:1]
    assert np.array_equal(decode(made.audio(0)), decode(cohort.audio(0)))
    assert made.transcript(0).read_text() == cohort.transcript(0).read_text()


def test_the_shortest_interview_is_scored(cohort, tmp_path):
    least = min(range(len(cohort)), key=lambda at: spoken_seconds(cohort.transcript(at)))
    recording = read_recording(
        audio=cohort.audio(least),
        transcript=cohort.transcript(least).read_bytes(),
        scratch=tmp_path,
        limits=AudioLimits(),
    )
    quality = segment(recording, SegmentSettings(), QualitySettings()).quality
    assert quality.flags == ()
    assert quality.speech_seconds > 20
