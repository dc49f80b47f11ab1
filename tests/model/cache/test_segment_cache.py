import sqlite3
from concurrent.futures import ThreadPoolExecutor

import pytest

from model.cache.segment_cache import SegmentCache


class Clock:
    """Time that a test sets."""

    def __init__(self):
        self.now = 1_000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def file(tmp_path):
    return tmp_path / "data" / "features.sqlite"


@pytest.fixture
def open_cache(file, clock):
    """`open_cache(...)` as a process would; all are closed at the end."""
    opened = []

    def run(**bounds):
        opened.append(SegmentCache(file, clock=clock, **bounds))
        return opened[-1]

    yield run
    for cache in opened:
        cache.close()


def numbered(first, last, size=2_000):
    return {f"key{number}": bytes([number % 256]) * size for number in range(first, last)}


def test_what_was_put_is_got_by_any_process_of_the_machine(open_cache):
    one, other = open_cache(), open_cache()
    one.put({"a": b"features", "b": b"others"})
    assert other.get(["b", "nothing", "a"]) == {"a": b"features", "b": b"others"}
    other.put({"a": b"newer"})
    assert one.get(["a"]) == {"a": b"newer"}


def test_other_users_cannot_read_it(open_cache, file):
    open_cache()
    assert file.stat().st_mode & 0o077 == 0


def test_what_is_too_old_is_not_answered_and_leaves_nothing_in_the_file(open_cache, clock, file):
    cache = open_cache(age=60.0)
    cache.put({"old": b"remember me" * 100})
    clock.now += 59
    assert cache.get(["old"]) == {"old": b"remember me" * 100}
    clock.now += 2
    assert cache.get(["old"]) == {}
    assert b"remember me" in file.read_bytes()
    cache.prune()
    assert b"remember me" not in b"".join(one.read_bytes() for one in file.parent.iterdir())


def test_reading_an_entry_does_not_extend_its_age(open_cache, clock):
    cache = open_cache(age=60.0)
    cache.put({"a": b"features"})
    for _ in range(3):
        clock.now += 25
        cache.get(["a"])
    assert cache.get(["a"]) == {}


def test_expired_entries_of_a_stopped_worker_are_deleted_at_the_next_start(open_cache, clock, file):
    open_cache(age=60.0).put({"old": b"remember me" * 100})
    clock.now += 61
    open_cache(age=60.0)
    assert b"remember me" not in file.read_bytes()


def test_beyond_its_size_the_oldest_go_first(open_cache, clock, file):
    cache = open_cache(most_bytes=400_000)
    for first in range(0, 400, 20):
        clock.now += 1
        cache.put(numbered(first, first + 20))
    kept = {int(key[3:]) for key in cache.get([f"key{number}" for number in range(400)])}
    assert kept == set(range(min(kept), 400))
    assert 50 < len(kept) < 200
    assert file.stat().st_size < 500_000


def test_a_bound_that_nothing_fits_in_keeps_nothing(open_cache):
    cache = open_cache(most_bytes=1)
    cache.put({"a": b"features"})
    assert cache.get(["a"]) == {}


def test_a_damaged_entry_is_a_miss(open_cache, file):
    cache = open_cache()
    cache.put({"a": b"features", "b": b"others"})
    with sqlite3.connect(file) as other:
        other.execute("UPDATE entry SET content = substr(content, 1, length(content) - 1) WHERE key = 'a'")
    other.close()
    assert cache.get(["a", "b"]) == {"b": b"others"}


@pytest.mark.parametrize("damage", [lambda file: b"no database at all" * 1000, lambda file: file.read_bytes()[:5000]])
def test_a_damaged_file_is_begun_anew(open_cache, file, damage):
    first = open_cache()
    first.put(numbered(0, 50))
    first.close()
    file.write_bytes(damage(file))
    cache = open_cache()
    cache.put({"a": b"features"})  # the first that meets the damage may be lost
    cache.put({"a": b"features"})
    assert cache.get(["a"]) == {"a": b"features"}


def test_where_nothing_can_be_written_everything_is_a_miss(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    cache = SegmentCache(tmp_path / "file" / "features.sqlite")
    cache.put({"a": b"features"})
    assert cache.get(["a"]) == {}


def test_many_threads_use_one_cache(open_cache):
    cache = open_cache(most_bytes=10_000_000)

    def work(number):
        own = numbered(number * 10, number * 10 + 10)
        cache.put(own)
        return cache.get(list(own)) == own

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, range(16)))
