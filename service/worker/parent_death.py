"""Worker processes end with their parent, also when the parent is killed and cannot signal them."""

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
    """Kill this process when the parent with this pid ends, or now if it has ended already.

    A kill loses nothing: the lease of a running stage expires, and another worker claims it.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    else:
        threading.Thread(target=_watch, args=(parent,), name="parent watch", daemon=True).start()
    # The parent may have ended before the request took effect.
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        sleep(CHECK_INTERVAL_SECONDS)
    os.kill(os.getpid(), signal.SIGKILL)
