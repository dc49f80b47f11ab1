"""Defer signals, so that they end a program neither while it starts a process nor while it cleans up."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class SignalInterrupt(KeyboardInterrupt):
    """A signal ended the command; `signum` is its number."""

    def __init__(self, signum: int) -> None:
        super().__init__(signum)
        self.signum = signum


class DeferredSignals:
    """Turns SIGINT, SIGTERM and SIGHUP into `SignalInterrupt`, but only inside `allowed` sections.

    Elsewhere they are deferred: a process that starts must be recorded, and its clean-up must complete. Signals that
    the caller ignores (as `nohup` does) stay ignored.
    """

    def __init__(self) -> None:
        self._received: int | None = None
        self._open = False
        self._previous = {s: signal.getsignal(s) for s in SIGNALS}

    def __enter__(self) -> DeferredSignals:
        for signum, handler in self._previous.items():
            if handler is not signal.SIG_IGN:
                signal.signal(signum, self._receive)
        return self

    def __exit__(self, *_: object) -> None:
        for signum, handler in self._previous.items():
            signal.signal(signum, handler)

    @contextmanager
    def allowed(self) -> Iterator[None]:
        """Let signals, deferred ones included, end this section."""
        try:
            self._open = True
            if self._received is not None:
                raise SignalInterrupt(self._received)
            yield
        finally:
            self._open = False

    def _receive(self, signum: int, _: FrameType | None) -> None:
        self._received = signum
        if self._open:
            self._open = False
            raise SignalInterrupt(signum)
