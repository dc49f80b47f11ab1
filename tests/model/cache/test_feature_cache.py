import os
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import pytest

from model.cache.feature_cache import FeatureCache, cache_key


def fill(folder, rounds):
    """Puts the same ten contents again and again; a process of its own runs it."""
    cache = FeatureCache(folder)
    for _ in range(rounds):
        for number in range(10):
            cache.put(f"key{number}", bytes([number]) * 50_000)
    return True


@pytest.fixture
def cache(tmp_path):
    return FeatureCache(tmp_path / "store")


def file_of(cache, key):
    (file,) = cache.folder.glob(f"{key}*")
    return file


def test_what_was_put_is_got(cache):
    cache.put("key", b"features")
    cache.put("other", b"")
    assert (cache.get("key"), cache.get("other"), cache.get("nothing")) == (b"features", b"", None)


def test_a_second_value_replaces_the_first(cache):
    cache.put("key", b"features")
    cache.put("key", b"others")
    assert cache.get("key") == b"others"
    assert len(list(cache.folder.iterdir())) == 1


@pytest.mark.parametrize("damage", [lambda kept: kept[:-1], lambda kept: kept[:-1] + b"?", lambda kept: b""])
def test_a_damaged_file_counts_as_absent_and_can_be_made_again(cache, damage):
    cache.put("key", b"features")
    file_of(cache, "key").write_bytes(damage(file_of(cache, "key").read_bytes()))
    assert cache.get("key") is None
    cache.put("key", b"features")
    assert cache.get("key") == b"features"


def test_a_failed_write_leaves_nothing(cache, monkeypatch):
    (cache.folder / "key.features").mkdir()
    with pytest.raises(OSError, match="key"):
        cache.put("key", b"features")
    assert [file.name for file in cache.folder.iterdir()] == ["key.features"]


def test_what_a_killed_process_left_is_removed_and_what_is_being_written_is_not(cache):
    old, new = cache.folder / "old.partial", cache.folder / "new.partial"
    for file in (old, new):
        file.write_bytes(b"half")
    os.utime(old, (time.time() - 7200,) * 2)
    FeatureCache(cache.folder)
    assert not old.exists()
    assert new.exists()


def test_a_key_depends_on_where_one_part_ends_and_the_next_begins():
    assert cache_key(b"ab", b"c") != cache_key(b"a", b"bc")
    assert cache_key(b"", b"a") != cache_key(b"a", b"")
    assert cache_key(b"a", b"b") == cache_key(b"a", b"b")


def test_two_processes_fill_one_folder_without_spoiling_it(tmp_path):
    with ProcessPoolExecutor(2, mp_context=get_context("fork")) as pool:
        writers = [pool.submit(fill, tmp_path, 20) for _ in range(2)]
        cache = FeatureCache(tmp_path)
        seen = set()
        while not all(writer.done() for writer in writers):
            seen |= {cache.get(f"key{number}") for number in range(10)}
    assert all(writer.result() for writer in writers)
    wanted = [bytes([number]) * 50_000 for number in range(10)]
    assert seen <= {None, *wanted}
    assert [cache.get(f"key{number}") for number in range(10)] == wanted
    assert len(list(tmp_path.iterdir())) == 10
