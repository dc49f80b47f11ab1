"""`hilbert serve` with the fake model: `python -m tests.faults.serve` in its environment."""

from __future__ import annotations

import signal
import sys

from service.embedded.serving import running_service, wait_for_signal
from service.settings import Settings

FAKE_WORKER = (sys.executable, "-m", "tests.service.fake_worker")


def _stop(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _stop)
    try:
        with running_service(Settings(), FAKE_WORKER) as service:
            sys.stdout.write(f"{service.url} {service.first_key}\n")
            sys.stdout.flush()
            wait_for_signal(service)
    except KeyboardInterrupt:
        pass
