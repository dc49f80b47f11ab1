"""A child that ends with its parent, also when the parent is killed and can tell nobody."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
from time import sleep

PR_SET_PDEATHSIG = 1
CHECK_INTERVAL_SECONDS = 0.5


def exit_with_parent(parent: int) -> None:
    """End this process at once when the parent with this pid ends; ends it now if that has happened already.

    A killed worker loses nothing: its stage's lease runs out and another takes it up.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    else:
        threading.Thread(target=_watch, args=(parent,), name="parent-death", daemon=True).start()
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        sleep(CHECK_INTERVAL_SECONDS)
    os.kill(os.getpid(), signal.SIGKILL)
