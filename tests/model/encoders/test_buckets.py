import pytest

from model.encoders.buckets import batches, bucket_of, full_batches


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


@pytest.mark.parametrize(("longest", "budget"), [(90, 64), (96, 200), (20, 10)])
def test_each_full_batch_has_a_shape_that_is_known_before(longest: int, budget: int) -> None:
    known = full_batches(longest=longest, step=32, budget=budget)
    lengths = [length for length in range(1, longest + 1) for _ in range(7)]
    fullest: dict[int, int] = {}
    for bucket, positions in batches(lengths, step=32, budget=budget):
        fullest[bucket] = max(fullest.get(bucket, 0), len(positions))
    assert {bucket: rows for rows, bucket in known} == fullest
