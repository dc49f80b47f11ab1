"""Celery's file transport, for one machine without a broker.

Kombu's own `filesystem` transport lets a reader take a message that its writer has opened and not yet
written, and it passes messages through the temporary folder, possibly another disk. Here a message appears
by one rename and is taken by one rename, both inside the spool.
"""

from __future__ import annotations

import fcntl
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Empty
from time import monotonic_ns

from kombu.transport import TRANSPORT_ALIASES, filesystem
from kombu.utils.json import dumps, loads

SCHEME = "spool"
POLLING_SECONDS = 0.05
MAX_WAIT_SECONDS = 0.25


class FileChannel(filesystem.Channel):  # type: ignore[misc]
    """Messages are files named after the moment they were put and their queue."""

    def _put(self, queue: str, payload: object, **_options: object) -> None:
        name = f"{monotonic_ns():020d}-{uuid.uuid4().hex}.{queue}.msg"
        folder = Path(self.data_folder_out)
        hidden = folder / f".{name}"
        hidden.write_text(dumps(payload))
        hidden.rename(folder / name)

    def _get(self, queue: str) -> object:
        folder = Path(self.data_folder_in)
        suffix = f".{queue}.msg"
        for file in sorted(folder.iterdir()):
            if not file.name.endswith(suffix) or file.name.startswith("."):
                continue
            taken = file.with_name(f".{file.name}.taken")
            try:
                file.rename(taken)
            except FileNotFoundError:
                continue  # another worker was faster
            content = taken.read_text()
            taken.unlink()
            return loads(content)
        raise Empty

    def get_table(self, exchange: str) -> object:
        """Kombu makes a table before it locks it: whoever comes between reads nothing. So one at a time."""
        with self._alone():
            return super().get_table(exchange)

    def _queue_bind(self, *binding: object) -> None:
        with self._alone():
            super()._queue_bind(*binding)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        folder = Path(self.control_folder)
        folder.mkdir(exist_ok=True)
        with (folder / "tables.lock").open("w") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            yield


class FileTransport(filesystem.Transport):  # type: ignore[misc]
    """Named in the broker URL as `spool://localhost/folder`."""

    Channel = FileChannel
    driver_type = SCHEME
    driver_name = SCHEME

    def drain_events(self, connection: object, timeout: float | None = None) -> None:
        """Wait for a message, in short turns: a worker told to stop looks up only between two turns."""
        super().drain_events(connection, timeout=min(timeout or MAX_WAIT_SECONDS, MAX_WAIT_SECONDS))


def register_transport() -> None:
    """Teach kombu the scheme."""
    TRANSPORT_ALIASES[SCHEME] = f"{__name__}:FileTransport"


def file_transport_options(folder: Path) -> dict[str, object]:
    """Transport options for a spool in this folder, which is made."""
    control = folder / "control"
    control.mkdir(parents=True, exist_ok=True)
    return {
        "data_folder_in": str(folder),
        "data_folder_out": str(folder),
        "control_folder": str(control),
        "polling_interval": POLLING_SECONDS,
    }
