"""What is heard of a recording, whatever file it came in: the words, the speaker, the level."""

from pathlib import Path

import numpy as np
import pytest

from model.config import AudioLimits
from model.errors import RecordingError
from model.pipeline import Pipeline
from model.recording.options import NO_OPTIONS, RecordingOptions
from model.recording.transcript import parse_transcript
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


@pytest.fixture
def hear(pipeline, tmp_path):
    """`hear(audio, transcript, options)` prepares a recording: its segmentation and what was found in its files."""

    def run(audio, transcript=None, options=NO_OPTIONS):
        scratch = tmp_path / str(len(list(tmp_path.iterdir())))
        scratch.mkdir()
        document = pipeline.prepare(audio=audio, transcript=transcript, scratch=scratch, options=options).document
        return document.segmentation, document.input

    return run


@pytest.fixture
def assess(pipeline, tmp_path):
    """`assess(audio, transcript)` scores a recording: the probabilities."""

    def run(audio, transcript):
        scratch = tmp_path / f"scored-{len(list(tmp_path.iterdir()))}"
        scratch.mkdir()
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


HEARD = {
    # case: seconds of the participant's speech, words, soft flags
    "interview.vtt": (40.62, 148, set()),
    "daic_TRANSCRIPT.csv": (40.62, 148, set()),
    "session.TextGrid": (40.62, 148, set()),
    "subs.ass": (40.62, 148, set()),
    "no_blank_between_cues.srt": (40.62, 148, set()),
    "zoom_dr_label.vtt": (40.62, 148, set()),
    "tiny_negative_start.json": (40.62, 148, {"transcript_time_clamped"}),
    "participant_only.vtt": (40.62, 148, {"speech_outside_transcript"}),
    "one_untimed_segment.json": (40.62, 148, {"transcript_times_filled"}),
    "otter.txt": (40.62, 148, {"transcript_ends_estimated", "transcript_credit_skipped"}),
    "no_fractions.srt": (38.0, 148, set()),
    "null_text.json": (35.4, 129, {"transcript_text_missing", "speech_outside_transcript"}),
    "overlapping_cues.vtt": (35.6, 148, {"speakers_overlap"}),
    "chinese.vtt": (40.62, 168, {"language_not_supported"}),
}


@pytest.mark.parametrize("case", HEARD)
def test_of_an_interview_the_participant_is_heard(hear, case):
    seconds, words, flags = HEARD[case]
    found, described = hear(INTERVIEW, (CASES / case).read_bytes())
    assert found.quality.speech_seconds == pytest.approx(seconds, abs=1.5)
    assert (found.quality.words, codes(found)) == (words, flags)
    assert len([speaker for speaker in described.speakers if speaker.scored]) == 1
    assert not found.abstains


@pytest.mark.parametrize("case", ["whisper.tsv", "space_only_line.vtt", "style_blank_line.vtt"])
def test_words_without_labels_are_all_heard(hear, case):
    found, _ = hear(INTERVIEW, (CASES / case).read_bytes())
    assert (found.quality.words, found.abstains) == (191, False)


def test_speakers_that_nothing_tells_apart_are_listed_and_one_can_be_named(hear):
    content = (CASES / "assemblyai_ms.json").read_bytes()
    unknown, described = hear(INTERVIEW, content)
    assert unknown.abstains
    assert "participant_unknown" in codes(unknown)
    assert [(speaker.label, speaker.words) for speaker in described.speakers] == [("A", 43), ("B", 148)]
    named_b, _ = hear(INTERVIEW, content, RecordingOptions(participant=("B",)))
    assert named_b.quality.speech_seconds == pytest.approx(40.62, abs=0.1)
    assert named_b.quality.words == 148


def test_a_last_cue_that_ends_tomorrow_is_bounded(hear):
    found, _ = hear(INTERVIEW, (CASES / "sentinel_end.vtt").read_bytes())
    assert "transcript_end_bounded" in codes(found)
    assert found.quality.speech_seconds < 65


def test_a_negative_time_is_refused_with_its_line(hear):
    with pytest.raises(RecordingError, match="Line 2"):
        hear(INTERVIEW, (CASES / "negative_first.srt").read_bytes())


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
