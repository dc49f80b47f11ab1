from pathlib import Path

import av
import numpy as np
import webvtt

from training.synthetic.interview import example_interview, main


def test_the_committed_example_is_what_its_command_makes(tmp_path):
    main(tmp_path)
    made = decode(tmp_path / "interview.flac")
    assert np.array_equal(made, decode(Path("examples/interview.flac")))
    assert (tmp_path / "interview.vtt").read_text() == Path("examples/interview.vtt").read_text()


def test_the_example_is_three_to_five_minutes_of_two_voices_and_small():
    seconds = len(decode(Path("examples/interview.flac"))) / 16000
    voices = {cue.voice for cue in webvtt.read("examples/interview.vtt").captions}
    assert 180 <= seconds <= 300
    assert voices == {"Interviewer", "Participant"}
    assert Path("examples/interview.flac").stat().st_size <= 6e6


def test_the_example_plants_its_outcome_in_voice_and_words():
    speaker = example_interview().speaker
    assert speaker.outcome != "none"
    assert speaker.carrier == "both"


def decode(path):
    with av.open(str(path)) as container:
        return np.concatenate([frame.to_ndarray()[0] for frame in container.decode(audio=0)])
