import pytest

from model.encoders.buckets import batches, bucket_of


@pytest.mark.parametrize(("length", "bucket"), [(0, 32), (1, 32), (32, 32), (33, 64), (64, 64)])
def test_a_bucket_is_the_next_multiple(length: int, bucket: int) -> None:
    assert bucket_of(length, 32) == bucket


def test_every_position_lies_in_one_batch_of_its_own_bucket() -> None:
    lengths = [5, 40, 31, 64, 65, 1, 33]
    found = list(batches(lengths, step=32, budget=64))
    assert sorted(position for _, positions in found for position in positions) == list(range(7))
    for bucket, positions in found:
        assert {bucket_of(lengths[position], 32) for position in positions} == {bucket}
        assert bucket * len(positions) <= 64 or len(positions) == 1
