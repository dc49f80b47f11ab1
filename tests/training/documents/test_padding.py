from itertools import combinations, pairwise

import numpy as np
import pytest

from training.documents.padding import choose_padded_lengths, padded_length_index


def positions(lengths, bounds):
    return sum(bounds[padded_length_index(length, bounds)] for length in lengths)


def test_equal_lengths_need_one_bound():
    assert choose_padded_lengths([5, 5, 5]) == (5,)


def test_a_document_without_segments_keeps_its_row():
    assert choose_padded_lengths([0, 0]) == (1,)


def test_every_document_fits_below_its_bound():
    lengths = np.random.default_rng(1).integers(1, 200, size=300).tolist()
    bounds = choose_padded_lengths(lengths)
    assert all(one < other for one, other in pairwise(bounds))
    assert all(length <= bounds[padded_length_index(length, bounds)] for length in lengths)


@pytest.mark.parametrize("seed", range(4))
def test_no_other_bounds_pad_less(seed):
    lengths = np.random.default_rng(seed).choice([1, 2, 3, 5, 8, 13, 21, 34], size=30).tolist()
    bounds = choose_padded_lengths(lengths, most=3)
    values = sorted(set(lengths))
    least = min(positions(lengths, (*chosen, values[-1])) for chosen in combinations(values[:-1], len(bounds) - 1))
    assert positions(lengths, bounds) == least


def test_a_bound_that_saves_next_to_nothing_is_not_drawn():
    assert choose_padded_lengths([100] * 50 + [99] * 50) == (100,)
