import pytest

from model.recording.words import count_words, join_words, split_words

CHINESE = "我最近很累\uff0c晚上睡不好觉\uff0c早上四点就醒。"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", 0),
        ("I slept badly.", 3),
        ("  one \n two  ", 2),
        ("schlecht geschlafen, oder?", 3),
        ("나는 잘 잤어요", 3),
        ("मैं ठीक हूँ।", 3),
        ("我", 1),
        ("我很好\uff0c谢谢你。", round(6 / 1.4)),
        ("我用iPhone打电话。", 1 + round(5 / 1.4)),
        ("ผมนอนไม่หลับ", round(12 / 4.0)),
        ("ខ្ញុំគេងមិនលក់", 2),
        ("よく眠れません", round(1 / 1.4 + 6 / 2.3)),
    ],
)
def test_words_are_counted_as_their_script_asks(text, words):
    assert count_words(text) == words


def test_words_between_spaces_are_split_at_spaces():
    assert split_words(" I  slept badly. ") == ["I", "slept", "badly."]


def test_characters_keep_their_marks_and_punctuation():
    assert split_words("我很好\uff0c你呢\uff1f") == ["我", "很", "好\uff0c", "你", "呢\uff1f"]
    assert split_words("เธอไม่ดี") == ["เธ", "อ", "ไม่", "ดี"]
    assert split_words("用iPhone打") == ["用", "iPhone", "打"]


def test_joining_puts_spaces_only_between_words_that_have_them():
    assert join_words(["I slept.", "", "Well."]) == "I slept. Well."
    assert join_words(["我很好。", "你呢\uff1f"]) == "我很好。你呢\uff1f"
    assert join_words(["用", "iPhone", "打"]) == "用 iPhone 打"
    assert join_words([]) == ""


@pytest.mark.parametrize("text", [CHINESE, "เธอไม่ดี", "I slept badly."])
def test_split_words_joined_are_the_text(text):
    assert join_words(split_words(text)) == text
