"""Waiting for what another thread or process is about to do."""

import time
from collections.abc import Callable
from typing import TypeVar

Value = TypeVar("Value")


def wait_for(condition: Callable[[], Value], seconds: float = 90.0, every: float = 0.01) -> Value:
    """Return the condition's first true value, asked `every` so many seconds.

    The limit is generous, for it matters only when something is broken.
    """
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, f"it did not happen in {seconds} s"
        time.sleep(every)
    return value
