import pytest

from model.encoders.buckets import SPEECH_STEP, bucket_of, speech_bucket, text_bucket


@pytest.mark.parametrize(("length", "bucket"), [(0, 32), (1, 32), (32, 32), (33, 64), (64, 64)])
def test_a_bucket_is_the_next_multiple(length: int, bucket: int) -> None:
    assert bucket_of(length, 32) == bucket


@pytest.mark.parametrize(("samples", "window", "bucket"), [(1, None, SPEECH_STEP), (1, 48_000, 48_000)])
def test_speech_is_padded_to_a_step_or_to_the_window_that_it_costs_anyway(samples, window, bucket) -> None:
    assert speech_bucket(samples, window) == bucket


@pytest.mark.parametrize(("tokens", "bucket"), [(33, 64), (65, 66), (66, 66)])
def test_no_text_is_padded_beyond_the_longest_window(tokens: int, bucket: int) -> None:
    assert text_bucket(tokens, 66) == bucket
