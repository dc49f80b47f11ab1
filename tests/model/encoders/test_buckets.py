import pytest

from model.encoders.buckets import ON_CPU, ON_GPU, bucket_of, full_batches, sizes_for, speech_bucket, text_bucket


@pytest.mark.parametrize(("length", "bucket"), [(0, 32), (1, 32), (32, 32), (33, 64), (64, 64)])
def test_a_bucket_is_the_next_multiple(length: int, bucket: int) -> None:
    assert bucket_of(length, 32) == bucket


def test_speech_is_not_padded_on_a_cpu() -> None:
    assert sizes_for("CPUExecutionProvider") == ON_CPU
    assert speech_bucket(12_345, ON_CPU.speech_step, None) == 12_345


@pytest.mark.parametrize(
    ("samples", "window", "bucket"),
    [(1, None, 40_000), (40_001, None, 80_000), (45_000, 48_000, 48_000), (500_000, None, 500_000)],
)
def test_speech_is_padded_in_steps_on_a_gpu_but_not_beyond_a_window(samples: int, window: int, bucket: int) -> None:
    assert sizes_for("CUDAExecutionProvider") == ON_GPU
    assert speech_bucket(samples, ON_GPU.speech_step, window) == bucket


@pytest.mark.parametrize(("tokens", "bucket"), [(1, 8), (33, 40), (64, 64), (65, 66), (66, 66)])
def test_no_text_is_padded_by_much_nor_beyond_the_longest_window(tokens: int, bucket: int) -> None:
    assert text_bucket(tokens, 66) == bucket


@pytest.mark.parametrize(("tokens", "bucket"), [(65, 80), (400, 400), (513, 544)])
def test_longer_texts_are_padded_in_longer_steps(tokens: int, bucket: int) -> None:
    assert text_bucket(tokens, 1000) == bucket


def test_a_full_batch_holds_what_its_budget_allows_and_at_least_one_row() -> None:
    assert full_batches([96, 32, 32, 64], 64.0) == ((2, 32), (1, 64), (1, 96))
