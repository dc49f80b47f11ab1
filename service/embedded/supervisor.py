"""The supervisor of the child processes of `hilbert serve`: start, restart with back-off, stop.

Each child has its own session, so that Ctrl-C in a terminal reaches the supervisor alone. The supervisor sends
SIGTERM to every child and SIGKILL after a grace period.
"""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from time import monotonic, sleep
from types import TracebackType
from typing import IO, Self

import structlog

from service.errors.tree import ConfigurationRefused

log = structlog.stdlib.get_logger(__name__)

REFUSED_STATUS = os.EX_CONFIG
"""Exit status of a child whose settings are invalid: a restart would fail again."""
MIN_BACKOFF_SECONDS = 0.5
MAX_BACKOFF_SECONDS = 30.0
STABLE_SECONDS = 30.0
CRASH_LOOP_FAILURES = 3
MAX_LOG_BYTES = 5_000_000
POLL_SECONDS = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A child process to supervise; `environment` extends the common environment."""

    name: str
    command: tuple[str, ...]
    inherited_fds: tuple[int, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class _Child:
    program: Program
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    backoff: float = MIN_BACKOFF_SECONDS
    start_after: float = 0.0
    failures: int = 0


class DataFolderLock:
    """Locks the data folder for one supervisor; the kernel releases the lock when its process ends."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "lock"
        self._file: IO[str] | None = None

    def __enter__(self) -> Self:
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        # Opened without truncating: until the lock is held the file names the process that holds it.
        file = self._path.open("a+")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            holder = file.read().strip() or "unknown"
            file.close()
            raise ConfigurationRefused(
                f"Another `hilbert serve` (process {holder}) already uses {self._path.parent}. "
                "Stop it, or set HILBERT_DATA_DIR to another folder."
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        self._file = file
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()


@dataclass(slots=True, kw_only=True)
class Supervisor:
    """Starts programs, restarts those that end, and stops all of them; a context manager."""

    programs: Sequence[Program]
    environment: dict[str, str]
    working_directory: Path
    logs: Path
    grace: timedelta
    _children: list[_Child] = field(default_factory=list)
    _stopping: threading.Event = field(default_factory=threading.Event)
    _refused: list[Program] = field(default_factory=list)
    _thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        self.logs.mkdir(parents=True, exist_ok=True)
        self._children = [_Child(program=program) for program in self.programs]
        self._thread = threading.Thread(target=self._run, name="supervisor", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()

    def pids(self, name: str) -> list[int]:
        """Process ids of the running children of this name."""
        return [
            child.process.pid
            for child in self._children
            if child.program.name == name and child.process is not None and child.process.poll() is None
        ]

    def raise_if_refused(self) -> None:
        """Raises ConfigurationRefused, with the child's last log line, when a child has refused its settings."""
        for program in self._refused:
            raise ConfigurationRefused(_last_line(self._log_path(program)) or f"{program.name} refused to start.")

    @property
    def crash_looping(self) -> bool:
        """Whether a child has ended CRASH_LOOP_FAILURES times without running for STABLE_SECONDS."""
        return any(child.failures >= CRASH_LOOP_FAILURES for child in self._children)

    def _run(self) -> None:
        # This thread alone starts children and it outlives them: on Linux PR_SET_PDEATHSIG refers to the thread that
        # forked the child, not to its process.
        while not self._stopping.wait(POLL_SECONDS):
            for child in self._children:
                self._restart_if_ended(child)
        self._stop_all()

    def _restart_if_ended(self, child: _Child) -> None:
        if child.process is None:
            if monotonic() >= child.start_after and child.program not in self._refused:
                self._start(child)
            return
        status = child.process.poll()
        if status is None:
            return
        child.process = None
        if status == REFUSED_STATUS:
            self._refused.append(child.program)
            return
        steady = monotonic() - child.started_at > STABLE_SECONDS
        child.backoff = MIN_BACKOFF_SECONDS if steady else min(2 * child.backoff, MAX_BACKOFF_SECONDS)
        child.failures = 1 if steady else child.failures + 1
        child.start_after = monotonic() + child.backoff
        log.warning("child ended", child=child.program.name, status=status, restart_in=child.backoff)

    def _start(self, child: _Child) -> None:
        path = self._log_path(child.program)
        # Only between two runs, because a child writes to the open file itself.
        if path.exists() and path.stat().st_size > MAX_LOG_BYTES:
            path.replace(path.with_name(f"{path.name}.1"))
        with path.open("ab") as output:
            child.process = subprocess.Popen(
                child.program.command,
                env={**self.environment, **child.program.environment},
                cwd=self.working_directory,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                pass_fds=child.program.inherited_fds,
                start_new_session=True,
            )
        child.started_at = monotonic()

    def _stop_all(self) -> None:
        running = [child.process for child in self._children if child.process is not None]
        for process in running:
            _signal_group(process, signal.SIGTERM)
        deadline = monotonic() + self.grace.total_seconds()
        while monotonic() < deadline and any(process.poll() is None for process in running):
            sleep(0.05)
        for process in running:
            _signal_group(process, signal.SIGKILL)
            process.wait()

    def _log_path(self, program: Program) -> Path:
        return self.logs / f"{program.name}.log"


def _signal_group(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    if process.poll() is None:
        try:
            os.killpg(process.pid, number)
        # It ended after the poll.
        except ProcessLookupError:
            return


def _last_line(path: Path) -> str:
    lines = path.read_text(errors="replace").strip().splitlines()
    return lines[-1] if lines else ""
