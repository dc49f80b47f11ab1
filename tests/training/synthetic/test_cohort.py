import json

import av
import numpy as np
import webvtt

from training.cohort.manifest import read_cohort
from training.config import CohortSettings
from training.synthetic.cohort import cohort, write_cohort
from training.synthetic.files import write_flac

TINY = CohortSettings(speakers=2, seconds=4.0)


def decode(path):
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        assert (stream.rate, stream.channels) == (16000, 1)
        return np.concatenate([frame.to_ndarray()[0] for frame in container.decode(audio=0)])


def test_a_written_cohort_holds_what_was_spoken(tmp_path):
    interviews = list(cohort(5, TINY))
    rows = read_cohort(write_cohort(tmp_path, 5, TINY)).rows
    assert [row.person for row in rows] == [one.speaker.person for one in interviews]
    for row, interview in zip(rows, interviews, strict=True):
        speaker = interview.speaker
        assert (row.family, row.role, row.age, row.sex) == (speaker.family, speaker.role, speaker.age, speaker.sex)
        assert (row.labels, row.notes) == ({"spectrum": speaker.outcome}, {"carrier": speaker.carrier})
        assert row.device == "flac"
        assert np.array_equal(decode(tmp_path / row.recording), interview.audio)


def test_a_written_transcript_names_its_speakers(tmp_path):
    interview = next(iter(cohort(5, TINY)))
    row = read_cohort(write_cohort(tmp_path, 5, TINY)).rows[0]
    captions = webvtt.read(tmp_path / row.transcript).captions
    utterances = json.loads((tmp_path / row.transcript).with_suffix(".json").read_text())
    assert [(cue.voice, cue.text) for cue in captions] == [(u.speaker, u.text) for u in interview.utterances]
    assert [u["start"] for u in utterances] == [u.start for u in interview.utterances]
    assert captions[1].start_in_seconds == int(interview.utterances[1].start)


def test_interviews_have_audio_if_requested():
    interviews = cohort(5, CohortSettings(speakers=100_000, seconds=4.0).model_copy(update={"speakers": 40}))
    assert next(interviews).speaker.index == 0


def test_equal_samples_make_equal_files(tmp_path):
    samples = np.arange(-9000, 9000, dtype=np.int16)
    write_flac(tmp_path / "one.flac", samples)
    write_flac(tmp_path / "two.flac", samples)
    assert (tmp_path / "one.flac").read_bytes() == (tmp_path / "two.flac").read_bytes()
    assert np.array_equal(decode(tmp_path / "one.flac"), samples)
