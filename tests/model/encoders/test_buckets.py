import pytest

from model.encoders.buckets import bucket_of, speech_bucket, text_bucket


@pytest.mark.parametrize(("length", "bucket"), [(0, 32), (1, 32), (32, 32), (33, 64), (64, 64)])
def test_a_bucket_is_the_next_multiple(length: int, bucket: int) -> None:
    assert bucket_of(length, 32) == bucket


def test_speech_is_not_padded() -> None:
    assert speech_bucket(12_345) == 12_345


@pytest.mark.parametrize(("tokens", "bucket"), [(1, 8), (33, 40), (64, 64), (65, 66), (66, 66)])
def test_no_text_is_padded_by_much_nor_beyond_the_longest_window(tokens: int, bucket: int) -> None:
    assert text_bucket(tokens, 66) == bucket


@pytest.mark.parametrize(("tokens", "bucket"), [(65, 80), (400, 400), (513, 544)])
def test_longer_texts_are_padded_in_longer_steps(tokens: int, bucket: int) -> None:
    assert text_bucket(tokens, 1000) == bucket
