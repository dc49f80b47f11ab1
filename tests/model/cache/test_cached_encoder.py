"""A cached encoder keeps every promise of an encoder, and asks the one below for nothing twice."""

import numpy as np
import pytest

from model.cache.cached_encoder import CacheCounts, CachedEncoder, segment_cache_key
from model.cache.segment_cache import SegmentCache
from model.encoders.encoder import Encoder
from model.encoders.runtime import RuntimeOptions
from model.encoders.text import TextEncoder
from tests.training.counting import CountingEncoder

TEXTS = ["I slept badly.", "Not much.", "We went for a walk by the river."]


@pytest.fixture
def cache(tmp_path):
    cache = SegmentCache(tmp_path / "features.sqlite")
    yield cache
    cache.close()


def test_only_what_is_missing_is_encoded_and_in_one_call(cache):
    below = CountingEncoder("text")
    cached = CachedEncoder(below, cache)
    first = cached.encode(TEXTS[:2])
    again = cached.encode([TEXTS[2], TEXTS[1], TEXTS[2], TEXTS[0]])
    assert below.encoded == 3
    np.testing.assert_array_equal(again[[3, 1]], first)
    np.testing.assert_array_equal(again, below.encode([TEXTS[2], TEXTS[1], TEXTS[2], TEXTS[0]]))
    assert cached.counts == CacheCounts(hits=3, misses=3)


def test_it_is_an_encoder_with_the_description_of_the_wrapped_one(cache):
    below = CountingEncoder("text")
    cached = CachedEncoder(below, cache)
    assert isinstance(cached, Encoder)
    assert (cached.description, cached.fingerprint, cached.provider) == (below.description, "first", "none")
    assert cached.encode([]).shape == (0, below.description.dim)


def test_a_real_encoder_s_vectors_come_back_to_the_last_bit(cache, encoders):
    below = TextEncoder(encoders / "text", RuntimeOptions(threads=1))
    made = CachedEncoder(below, cache).encode(TEXTS)
    kept = CachedEncoder(below, cache)
    np.testing.assert_array_equal(kept.encode(TEXTS), made)
    assert kept.counts == CacheCounts(hits=3, misses=0)


def test_another_encoder_does_not_share_cache_entries(cache):
    CachedEncoder(CountingEncoder("text"), cache).encode(TEXTS)
    other = CountingEncoder("text", "second")
    CachedEncoder(other, cache).encode(TEXTS)
    assert other.encoded == 3


def test_a_vector_of_the_wrong_width_is_a_miss(cache):
    below = CountingEncoder("text")
    cache.put({segment_cache_key("first", "none", TEXTS[0]): b"\0" * 8})
    np.testing.assert_array_equal(CachedEncoder(below, cache).encode(TEXTS[:1]), [[14.0] * 3])


def test_a_key_is_decided_by_encoder_provider_and_the_very_material():
    wave = np.array([0, 1, -2], dtype=np.float32) / 32768
    keys = [
        segment_cache_key("a", "cpu", wave),
        segment_cache_key("b", "cpu", wave),
        segment_cache_key("a", "gpu", wave),
        segment_cache_key("a", "cpu", np.append(wave, np.float32(0))),
        segment_cache_key("a", "cpu", np.nextafter(wave, np.float32(1))),
        segment_cache_key("a", "cpu", "words"),
        segment_cache_key("a", "cpu", "Words"),
        segment_cache_key("a", "cpu", ""),
    ]
    assert len(set(keys)) == len(keys)
    assert (
        segment_cache_key("a", "cpu", wave.copy()) == segment_cache_key("a", "cpu", np.repeat(wave, 2)[::2]) == keys[0]
    )
