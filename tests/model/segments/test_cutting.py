import dataclasses

import numpy as np
import pytest

from model.config import AudioLimits, QualitySettings, SegmentSettings
from model.recording.audio import SAMPLE_RATE
from model.recording.decoding import decode
from model.recording.recording import Recording
from model.segments.cutting import segment, segment_audio


def codes(segmentation):
    return {flag.code for flag in segmentation.quality.flags}


def rows_of(spoken, speakers=(None,)):
    return [(start, end, text, speakers[at % len(speakers)]) for at, (start, end, text) in enumerate(spoken.said)]


def seconds(segment):
    return sum(span.end - span.start for span in segment.spans)


def words_of(segmentation):
    return " ".join(segment.text for segment in segmentation.segments).split()


def test_speech_is_cut_into_segments_of_ten_to_thirty_seconds_in_order(spoken_audio, cut):
    found = cut(spoken_audio)

    assert len(found.segments) >= 3
    assert all(10 <= seconds(part) <= 30 for part in found.segments)
    assert [part.index for part in found.segments] == list(range(len(found.segments)))
    edges = [edge for part in found.segments for span in part.spans for edge in (span.start, span.end)]
    assert edges == sorted(edges)
    assert all((part.start, part.end) == (part.spans[0].start, part.spans[-1].end) for part in found.segments)
    assert found.quality.speech_seconds == pytest.approx(sum(seconds(part) for part in found.segments))
    assert found.quality.segments == len(found.segments)


def test_the_same_recording_is_cut_the_same_twice(spoken, spoken_audio, cut):
    assert cut(spoken_audio, rows_of(spoken)) == cut(spoken_audio, rows_of(spoken))


def test_the_audio_of_a_segment_is_its_spans_one_after_the_other(spoken_audio, cut):
    part = cut(spoken_audio).segments[1]

    sound = segment_audio(spoken_audio, part)

    assert sound.size == round(seconds(part) * SAMPLE_RATE)
    first = round(part.spans[0].start * SAMPLE_RATE)
    assert np.array_equal(sound[:100], spoken_audio.read(first, first + 100))


def test_timed_utterances_are_not_divided_where_a_pause_lies_between_them(spoken, spoken_audio, cut):
    found = cut(spoken_audio, rows_of(spoken))

    sentences = [text for _, _, text in spoken.said]
    rebuilt = iter(sentences)
    for part in found.segments:
        taken: list[str] = []
        while " ".join(taken) != part.text:
            taken.append(next(rebuilt))
    assert next(rebuilt, None) is None
    assert found.has_audio
    assert found.has_text
    assert codes(found) == set()


def test_words_lie_in_the_segment_in_which_they_are_spoken(spoken, spoken_audio, cut):
    found = cut(spoken_audio, rows_of(spoken))

    for start, end, text in spoken.said:
        holder = next(part for part in found.segments if part.start - 0.3 <= start and end <= part.end + 0.8)
        assert text in holder.text


def test_the_interviewers_words_and_voice_are_left_out(spoken, spoken_audio, cut):
    rows = rows_of(spoken, speakers=("Interviewer", "Participant"))

    found = cut(spoken_audio, rows)

    theirs = [row for row in rows if row[3] == "Participant"]
    assert words_of(found) == " ".join(text for _, _, text, _ in theirs).split()
    for part in found.segments:
        for span in part.spans:
            assert any(start - 0.01 <= span.start and span.end <= end + 0.01 for start, end, _, _ in theirs)
    everything = cut(spoken_audio, rows, participant_only=False)
    assert everything.quality.speech_seconds > 1.5 * found.quality.speech_seconds
    assert len(words_of(everything)) > 1.5 * len(words_of(found))


def test_only_an_interviewer_speaking_is_no_participant(spoken, spoken_audio, cut):
    found = cut(spoken_audio, rows_of(spoken, speakers=("Interviewer",)))

    assert found.abstains
    assert codes(found) == {"no_participant_speech", "transcript_too_short"}
    assert found.segments == ()


def test_text_without_times_is_spread_over_the_speech_and_flagged(spoken, spoken_audio, cut):
    untimed = [(None, None, " ".join(text for _, _, text in spoken.said), None)]

    found = cut(spoken_audio, untimed)

    assert codes(found) == {"text_times_estimated"}
    assert words_of(found) == untimed[0][2].split()
    assert all(part.text for part in found.segments)
    timed = cut(spoken_audio, rows_of(spoken))
    shared = [
        len(set(a.text.split()) & set(b.text.split())) / len(set(b.text.split()))
        for a, b in zip(found.segments, timed.segments, strict=True)
    ]
    assert np.mean(shared) > 0.8


def test_without_a_transcript_segments_have_audio_only(spoken_audio, cut):
    found = cut(spoken_audio)

    assert codes(found) == {"transcript_missing"}
    assert not found.has_text
    assert all(part.text == "" for part in found.segments)


def test_a_transcript_of_a_few_words_counts_as_missing(spoken_audio, cut):
    found = cut(spoken_audio, [(0.0, 2.0, "I have been", None)])
    assert codes(found) == {"transcript_too_short"}
    assert len(found.segments) >= 3
    assert words_of(found) == []


def test_a_transcript_of_another_recording_is_flagged(spoken, spoken_audio, cut):
    late = [(start + 60, end + 60, text, who) for start, end, text, who in rows_of(spoken)]

    assert "transcript_audio_mismatch" in codes(cut(spoken_audio, late))


def test_silence_two_seconds_of_speech_and_no_numbers_abstain(audio_of, spoken_audio, cut):
    silent = cut(audio_of(np.zeros(20 * SAMPLE_RATE)))
    assert silent.abstains
    assert "silence" in codes(silent)
    assert silent.segments == ()

    short = cut(audio_of(spoken_audio.read(0, 2 * SAMPLE_RATE)))
    assert short.abstains
    assert "speech_too_short" in codes(short)

    broken = cut(dataclasses.replace(spoken_audio, not_finite=spoken_audio.source_samples // 2))
    assert broken.abstains
    assert "audio_not_finite" in codes(broken)


def test_unbroken_speech_is_cut_all_the_same(audio_of, spoken_audio, cut):
    speech = spoken_audio.read(0, 60 * SAMPLE_RATE)
    loud = np.convolve(np.abs(speech), np.ones(400) / 400, mode="same") > 0.01
    found = cut(audio_of(speech[loud]), shortest_pause=5.0)

    assert len(found.segments) >= 2
    assert all(10 <= seconds(part) <= 30 for part in found.segments)


def test_timed_text_alone_is_cut_at_its_own_times(spoken, cut):
    found = cut(None, rows_of(spoken))

    assert codes(found) == {"audio_missing"}
    assert not found.has_audio
    assert found.has_text
    assert all(part.spans == () and 10 <= part.end - part.start <= 40 for part in found.segments)
    assert words_of(found) == " ".join(text for _, _, text in spoken.said).split()
    assert found.quality.duration_seconds == pytest.approx(spoken.said[-1][1])
    assert found.quality.snr_db is None


@pytest.mark.parametrize("time", [None, 0.0])
def test_text_alone_without_useful_times_is_cut_by_its_words(spoken, cut, time):
    found = cut(None, [(time, time, text, None) for _, _, text in spoken.said])

    assert codes(found) == {"audio_missing", "text_times_estimated"}
    words = words_of(found)
    assert words == " ".join(text for _, _, text in spoken.said).split()
    assert all(25 <= len(part.text.split()) <= 75 for part in found.segments[:-1])
    assert found.segments[-1].end == pytest.approx(len(words) / 2.5, abs=0.01)


def test_one_endless_sentence_alone_is_divided_between_words(cut):
    found = cut(None, [(None, None, " ".join(f"w{number}" for number in range(400)), None)])

    assert len(found.segments) >= 5
    assert words_of(found) == [f"w{number}" for number in range(400)]


def test_a_few_words_alone_abstain(cut):
    found = cut(None, [(None, None, "I was tired.", None)])

    assert found.abstains
    assert codes(found) == {"audio_missing", "text_times_estimated", "text_too_short"}


def test_a_recording_has_audio_or_a_transcript():
    with pytest.raises(ValueError, match="both"):
        Recording(audio=None, transcript=None)


# Voice activity itself hears a fading last syllable up to two windows longer through a lossy codec.
@pytest.mark.parametrize(("name", "within"), [("flac", 0.01), ("mp3", 0.1), ("ogg/opus", 0.1)])
def test_a_recording_is_cut_at_the_same_times_through_every_codec(
    name, within, tmp_path, spoken, spoken_audio, write_audio
):
    def edges(audio):
        found = segment(Recording(audio=audio, transcript=None), SegmentSettings(), QualitySettings())
        return np.array([(part.start, part.end) for part in found.segments])

    audio = decode(write_audio(tmp_path / "coded", spoken.sound, name), tmp_path / "coded.pcm", AudioLimits())

    through, plain = edges(audio), edges(spoken_audio)
    assert through.shape == plain.shape
    assert np.abs(through - plain).max() <= within
    assert np.median(np.abs(through - plain)) <= 0.01
