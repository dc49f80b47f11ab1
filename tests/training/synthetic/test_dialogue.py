from itertools import pairwise

import numpy as np
import pytest

from training.config import CohortSettings
from training.synthetic.dialogue import INTERVIEWER, PARTICIPANT, SAMPLE_RATE, converse, record
from training.synthetic.speakers import draw_speakers

SPEAKERS = draw_speakers(11, CohortSettings(speakers=12))


@pytest.fixture(scope="module")
def interview():
    return record(SPEAKERS[0], seed=11, seconds=8.0)


def test_the_same_speaker_and_seed_give_the_same_samples(interview):
    again = record(SPEAKERS[0], seed=11, seconds=8.0)
    assert np.array_equal(again.audio, interview.audio)
    assert again.utterances == interview.utterances


def test_the_participant_speaks_at_least_for_the_requested_time(interview):
    spoken = sum(one.end - one.start for one in interview.utterances if one.speaker == PARTICIPANT)
    assert 8.0 <= spoken < 40.0


def test_the_interviewer_begins_and_utterances_follow_each_other(interview):
    assert interview.utterances[0].speaker == INTERVIEWER
    for one, following in pairwise(interview.utterances):
        assert one.start < one.end <= following.start
    assert interview.utterances[-1].end <= len(interview.audio) / SAMPLE_RATE


def test_speech_is_at_the_times_of_the_transcript(interview):
    spoken = np.zeros(len(interview.audio), dtype=bool)
    for one in interview.utterances:
        spoken[round(one.start * SAMPLE_RATE) : round(one.end * SAMPLE_RATE)] = True
    loudness = interview.audio.astype(float) ** 2
    assert loudness[spoken].mean() > 100 * loudness[~spoken].mean()


def test_pauses_hold_room_noise_and_nothing_clips(interview):
    start = interview.audio[: SAMPLE_RATE // 4].astype(float)
    assert 0.5 < start.std() < 300
    assert np.abs(interview.audio.astype(int)).max() <= 32767


def test_a_hesitation_is_in_the_audio_and_not_in_the_transcript():
    hesitant = next(one for one in SPEAKERS if one.outcome == "psychotic" or one.prosody.hesitation > 0.1)
    assert not any("…" in one.text for one in record(hesitant, seed=11, seconds=5.0).utterances)


def test_words_are_drawn_without_speaking_them():
    answers = converse(SPEAKERS[1], seed=11, turns=10)
    assert len(answers) == 10
    assert answers == converse(SPEAKERS[1], seed=11, turns=10)
    assert len(set(answers)) > 5
