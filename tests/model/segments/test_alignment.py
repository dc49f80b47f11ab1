import pytest

from model.recording.audio import SAMPLE_RATE
from model.recording.transcript import Transcript, Utterance
from model.segments.alignment import (
    Phrase,
    assign_text,
    phrases_at_typical_rate,
    phrases_at_utterance_times,
    phrases_spread_evenly,
    split_sentences,
)
from model.segments.timeline import make_timeline


def said(text, start=None, end=None, speaker=None):
    return Utterance(start=start, end=end, text=text, speaker=speaker)


def talk(*utterances):
    return Transcript(utterances=utterances)


def phrase(text, start, end, divisible=True):
    return Phrase(text=text, start=start, end=end, divisible=divisible)


def test_text_goes_to_the_segment_that_holds_its_time():
    phrases = [phrase("a b", 0, 10), phrase("c d", 10, 20), phrase("e", 20, 30)]

    assert assign_text(phrases, [10, 20]) == ["a b", "c d", "e"]
    assert assign_text(phrases, []) == ["a b c d e"]
    assert assign_text([], [10]) == ["", ""]


def test_an_utterance_over_a_cut_is_divided_between_words_by_its_letters():
    assert assign_text([phrase("aaaa bbbb cccc dddd", 0, 40)], [21]) == ["aaaa bbbb", "cccc dddd"]
    assert assign_text([phrase("aaaa bbbb cccc dddd", 0, 40)], [4]) == ["", "aaaa bbbb cccc dddd"]
    assert assign_text([phrase("a much-longer-word c", 0, 40)], [30]) == ["a much-longer-word", "c"]


def test_an_estimated_sentence_goes_as_a_whole_where_its_middle_is():
    assert assign_text([phrase("one two three four", 0, 40, divisible=False)], [21]) == ["one two three four", ""]


def test_no_word_is_lost_or_doubled():
    words = [f"w{number}" for number in range(500)]
    phrases = [phrase(" ".join(words[at : at + 25]), at * 7, (at + 25) * 7) for at in range(0, 500, 25)]

    assert " ".join(assign_text(phrases, [401, 1111, 1112, 3000])).split() == words


def test_timed_words_are_aligned_to_the_speech_at_their_times():
    speech = make_timeline([(SAMPLE_RATE, 3 * SAMPLE_RATE), (10 * SAMPLE_RATE, 12 * SAMPLE_RATE)])

    (found,) = phrases_at_utterance_times([said("any words", 2.0, 11.0)], speech)

    assert (found.start, found.end) == (SAMPLE_RATE, 3 * SAMPLE_RATE)


def test_sentences_without_times_are_spread_by_their_letters_and_the_interviewers_take_their_share():
    transcript = talk(said("Abc def? Ghi jkl.", speaker="doctor"), said("Mno pqr. Stu vwx!", speaker="Ann"))
    speech = make_timeline([(0, 4 * SAMPLE_RATE), (10 * SAMPLE_RATE, 14 * SAMPLE_RATE)])

    phrases = phrases_spread_evenly(transcript, transcript.utterances[1:], speech)

    assert [(found.text, found.start, found.end) for found in phrases] == [
        ("Mno pqr.", 4 * SAMPLE_RATE, 6 * SAMPLE_RATE),
        ("Stu vwx!", 6 * SAMPLE_RATE, 8 * SAMPLE_RATE),
    ]


def test_text_without_full_stops_is_one_sentence_that_may_be_divided():
    speech = make_timeline([(0, 40 * SAMPLE_RATE)])
    transcript = talk(said(" ".join(["word"] * 100)))

    (found,) = phrases_spread_evenly(transcript, transcript.utterances, speech)

    assert found.divisible


def test_sentences_end_at_their_punctuation():
    assert split_sentences('He said "no." Then 3.5 hours… “Why?” I left') == [
        'He said "no."',
        "Then 3.5 hours…",
        "“Why?”",
        "I left",
    ]


def test_sentences_of_chinese_and_japanese_end_without_a_space():
    assert split_sentences("我很累。晚上睡不好\uff01你呢\uff1f好。") == [
        "我很累。",
        "晚上睡不好\uff01",
        "你呢\uff1f",
        "好。",
    ]
    assert split_sentences("他说\uff1a“很好。”然后走了。") == ["他说\uff1a“很好。”", "然后走了。"]
    assert split_sentences("मैं ठीक हूँ। और आप?") == ["मैं ठीक हूँ।", "और आप?"]


def test_chinese_over_a_cut_is_divided_between_characters_and_joined_without_spaces():
    assert assign_text([phrase("我很累晚上睡不好", 0, 80)], [40]) == ["我很累晚", "上睡不好"]
    assert assign_text([phrase("我很累。", 0, 10), phrase("你呢\uff1f", 10, 20)], []) == ["我很累。你呢\uff1f"]


def test_thai_over_a_cut_keeps_its_spaces_and_marks():
    assert "".join(assign_text([phrase("ผมเหนื่อย มาก", 0, 120)], [60])) == "ผมเหนื่อย มาก"
    assert assign_text([phrase("ผมเหนื่อย มาก ครับ", 0, 90)], [45]) == ["ผมเหนื่อย", "มาก ครับ"]


def test_estimated_speech_of_chinese_counts_its_characters():
    phrases, speech = phrases_at_typical_rate([said("我很累晚上睡不好你呢好吗我们")])

    assert len("我很累晚上睡不好你呢好吗我们") == 14
    assert speech.length == 4 * SAMPLE_RATE
    assert [found.end for found in phrases] == [4 * SAMPLE_RATE]


def test_estimated_speech_has_two_and_a_half_words_per_second():
    phrases, speech = phrases_at_typical_rate([said("One two three four five. Six."), said("Seven eight nine ten.")])

    assert [found.end / SAMPLE_RATE for found in phrases] == pytest.approx([2.0, 2.4, 4.0])
    assert speech.length == 4 * SAMPLE_RATE
