import os
import stat
from pathlib import Path

import psycopg
import redis


def test_redis_keeps_its_queue_on_disk(redis_url):
    server = redis.Redis.from_url(redis_url)
    assert server.ping()
    assert server.config_get("appendonly") == {"appendonly": "yes"}
    server.close()


def test_postgresql_runs_and_not_as_root(postgres_url):
    with psycopg.connect(postgres_url.replace("+psycopg", "")) as connection:
        (folder,) = connection.execute("SHOW data_directory").fetchone()
        assert connection.execute("SELECT 1").fetchone() == (1,)
    owner = Path(folder).stat()
    assert owner.st_uid != 0
    assert stat.S_IMODE(owner.st_mode) == 0o700
    assert owner.st_uid == os.getuid() or os.getuid() == 0
