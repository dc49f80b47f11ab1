"""What is heard of a recording, whatever file it came in: the words, the speaker, the level."""

import functools
from pathlib import Path

import numpy as np
import pytest

from model.config import AudioLimits
from model.pipeline import Pipeline
from model.recording.options import NO_OPTIONS, RecordingOptions
from model.recording.reading import read_recording
from model.recording.recording import Recording
from model.recording.transcript import parse_transcript
from model.recording_input import describe_input
from model.segments.cutting import segment
from model.segments.voice_activity import detect_voice
from tests.model.recording.written import WRITTEN

EXAMPLES, CASES = Path("examples"), Path(__file__).parent / "recording" / "cases"
INTERVIEW = CASES / "interview.flac"
WORDS = (EXAMPLES / "interview.vtt").read_bytes()
UTTERANCES = parse_transcript(WORDS, AudioLimits()).utterances
LABELLED = {name: way for name, way in WRITTEN.items() if way.speakers(UTTERANCES, "Participant")}
EXACT = [name for name, way in LABELLED.items() if way.rounding == 0]
ROUNDED = [name for name, way in LABELLED.items() if way.rounding]
UNTIMED = [name for name, way in LABELLED.items() if way.time_unit is None]


@pytest.fixture(scope="module")
def pipeline():
    with Pipeline.open(EXAMPLES / "bundle", threads=2) as pipeline:
        yield pipeline


@pytest.fixture(scope="module")
def decoded(pipeline, tmp_path_factory):
    """`decoded(audio, options)` decodes a file once, for its speech is found anew in every transcript."""

    @functools.cache
    def decode_once(audio, track):
        return read_recording(
            audio=audio,
            transcript=None,
            scratch=tmp_path_factory.mktemp("decoded"),
            limits=pipeline.manifest.audio,
            options=RecordingOptions(audio_track=track),
        ).audio

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("model.segments.cutting.detect_voice", functools.cache(detect_voice))
        yield decode_once


@pytest.fixture
def hear(pipeline, decoded):
    """`hear(audio, transcript, options)` prepares a recording: its segmentation and what was found in its files."""

    def run(audio, transcript=None, options=NO_OPTIONS):
        words = None if transcript is None else parse_transcript(transcript, pipeline.manifest.audio)
        recording = Recording(audio=decoded(audio, options.audio_track), transcript=words)
        found = segment(recording, pipeline.manifest.segments, pipeline.manifest.quality, options)
        return found, describe_input(recording, found, audio=audio, transcript=transcript)

    return run


@pytest.fixture(scope="module")
def assess(pipeline, tmp_path_factory):
    """`assess(audio, transcript)` scores a recording, the same one once: the probabilities."""

    @functools.cache
    def run(audio, transcript):
        scratch = tmp_path_factory.mktemp("scored")
        result = pipeline.assess(audio=audio, transcript=transcript, scratch=scratch, task="spectrum")
        return np.array([risk.probability for risk in result.probabilities])

    return run


def codes(segmentation):
    return {flag.code for flag in segmentation.quality.flags}


def named(way):
    """The options that name the participant by the label that the format gives."""
    return RecordingOptions(participant=(way.speakers(UTTERANCES, "Participant"),))


def test_at_least_sixteen_formats_have_times_and_speakers():
    assert len(EXACT) + len(ROUNDED) >= 16


@pytest.mark.parametrize("name", EXACT)
def test_an_exact_format_gives_the_same_segments(hear, name):
    way = LABELLED[name]
    reference, _ = hear(EXAMPLES / "interview.flac", WORDS)
    found, described = hear(EXAMPLES / "interview.flac", way.write(UTTERANCES).encode(), named(way))
    # Equal segments, words and levels are equal inputs of the encoders, and so equal probabilities.
    assert found.segments == reference.segments
    assert found.levelling == reference.levelling
    assert (described.transcript.format, described.transcript.time_unit) == (way.format, way.time_unit)
    assert [speaker.words for speaker in described.speakers if speaker.scored] == [435]


@pytest.mark.parametrize("name", ROUNDED)
def test_a_rounded_format_moves_a_probability_by_a_hundredth_at_most(assess, name):
    exact = assess(EXAMPLES / "interview.flac", WORDS)
    assert assess(EXAMPLES / "interview.flac", LABELLED[name].write(UTTERANCES).encode()) == pytest.approx(
        exact, abs=0.01
    )


@pytest.mark.parametrize("name", UNTIMED)
def test_a_format_without_times_is_flagged_and_leaves_the_interviewer_out(hear, name):
    way = LABELLED[name]
    found, described = hear(EXAMPLES / "interview.flac", way.write(UTTERANCES).encode(), named(way))
    assert {"text_times_estimated", "interviewer_in_audio"} <= codes(found)
    assert [speaker.words for speaker in described.speakers if speaker.scored] == [435]


def test_speakers_that_nothing_tells_apart_are_listed_and_one_can_be_named(hear):
    content = (CASES / "assemblyai_ms.json").read_bytes()
    unknown, described = hear(INTERVIEW, content)
    assert unknown.abstains
    assert "participant_unknown" in codes(unknown)
    assert [(speaker.label, speaker.words) for speaker in described.speakers] == [("A", 43), ("B", 148)]
    named_b, _ = hear(INTERVIEW, content, RecordingOptions(participant=("B",)))
    assert named_b.quality.speech_seconds == pytest.approx(40.62, abs=0.1)
    assert named_b.quality.words == 148


def test_a_quiet_recording_scores_like_a_loud_one(assess):
    loud = assess(CASES / "level_normal.opus", (CASES / "interview.vtt").read_bytes())
    quiet = assess(CASES / "level_minus24dB.opus", (CASES / "interview.vtt").read_bytes())
    assert quiet == pytest.approx(loud, abs=0.02)


def test_a_dc_offset_is_no_noise(hear):
    found, _ = hear(CASES / "dc_offset.flac")
    assert found.quality.snr_db > 40
    assert "low_snr" not in codes(found)


def test_the_sound_of_odd_files_is_heard(hear):
    antiphase, described = hear(CASES / "antiphase.opus")
    assert antiphase.quality.speech_seconds > 20
    assert "antiphase_channels" in codes(antiphase)
    assert described.audio.channels_used in {(1,), (2,)}
    tracks, described = hear(CASES / "two_tracks.mkv")
    assert "audio_tracks_left_out" in codes(tracks)
    assert (described.audio.tracks, described.audio.track) == (2, 1)
    second, described = hear(CASES / "two_tracks.mkv", None, RecordingOptions(audio_track=2))
    assert described.audio.track == 2
    assert second.quality.duration_seconds > 0
