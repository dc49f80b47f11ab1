"""Processes that a test starts: ready when the block begins, and gone when it has ended."""

import os
import signal
import socket
import sqlite3
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from service.storage.database import Database
from tests.waiting import wait_for


def free_port() -> int:
    """A port of the loopback that nobody uses at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def answers(port: int) -> bool:
    """Whether somebody listens on a port of the loopback."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def running(
    command: Sequence[str | Path], log: Path, *, until: Callable[[], object], stop: int = signal.SIGTERM, **options: Any
) -> Iterator[subprocess.Popen]:
    """A process in a session of its own, from the moment it is ready until it has ended in order."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            **options,
        )

    def ready() -> object:
        assert process.poll() is None, f"ended with {process.returncode}:\n{log.read_text()[-4000:]}"
        return until()

    try:
        wait_for(ready, seconds=120, every=0.05)
        yield process
    finally:
        process.send_signal(stop)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def stop_between_writes(process: subprocess.Popen, database: Database) -> None:
    """SIGSTOP a child while this process holds SQLite's only write lock, so that the child does not sleep with it.

    The lock is held until the child has stopped: a busy machine delivers the signal late.
    """
    connection = sqlite3.connect(database.engine.url.database, timeout=60, isolation_level=None)
    try:
        connection.execute("BEGIN IMMEDIATE")
        process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, process.pid, os.WSTOPPED)
        connection.execute("ROLLBACK")
    finally:
        connection.close()
