"""A Celery transport over files, for one machine without a broker.

Kombu's own `filesystem` transport lets a reader take a message that its writer has opened and not written yet, and it
moves messages through the temporary folder, possibly on another disk. Here one rename publishes a message and another
one takes it, both inside the spool folder, and a rename is atomic.
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
"""A worker that was told to stop notices it only between two waits."""


class FileChannel(filesystem.Channel):  # type: ignore[misc]
    """Messages are files, named by the moment of publishing and the queue; sorted by name, they are in order."""

    def _put(self, queue: str, payload: object, **_options: object) -> None:
        # Leading zeros, so that the order of names is the order of times.
        name = f"{monotonic_ns():020d}-{uuid.uuid4().hex}.{queue}.msg"
        folder = Path(self.data_folder_out)
        # Readers skip names with a leading dot, so a message is invisible until it is complete.
        hidden = folder / f".{name}"
        hidden.write_text(dumps(payload))
        hidden.rename(folder / name)

    def _get(self, queue: str) -> object:
        folder = Path(self.data_folder_in)
        suffix = f".{queue}.msg"
        for file in sorted(folder.iterdir()):
            if not file.name.endswith(suffix) or file.name.startswith("."):
                continue
            # With a leading dot the taken file is invisible to other readers while it is read.
            taken = file.with_name(f".{file.name}.taken")
            try:
                file.rename(taken)
            except FileNotFoundError:
                continue  # another worker took it
            content = taken.read_text()
            taken.unlink()
            return loads(content)
        raise Empty

    def get_table(self, exchange: str) -> object:
        """Read a routing table under a lock: kombu creates the file before it locks it, and it is empty at first."""
        with self._exclusive():
            return super().get_table(exchange)

    def _queue_bind(self, *binding: object) -> None:
        with self._exclusive():
            super()._queue_bind(*binding)

    @contextmanager
    def _exclusive(self) -> Iterator[None]:
        folder = Path(self.control_folder)
        folder.mkdir(exist_ok=True)
        with (folder / "tables.lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


class FileTransport(filesystem.Transport):  # type: ignore[misc]
    """The transport of broker URLs such as `spool://localhost/folder`."""

    Channel = FileChannel
    driver_type = SCHEME
    driver_name = SCHEME

    def drain_events(self, connection: object, timeout: float | None = None) -> None:
        """Wait for a message, at most `MAX_WAIT_SECONDS`, so that the consumer can notice a request to stop."""
        super().drain_events(connection, timeout=min(timeout or MAX_WAIT_SECONDS, MAX_WAIT_SECONDS))


def register_transport() -> None:
    """Register the scheme with kombu, which imports the class by this name."""
    TRANSPORT_ALIASES[SCHEME] = f"{__name__}:FileTransport"


def file_transport_options(folder: Path) -> dict[str, object]:
    """Transport options for a spool in this folder; creates the folder."""
    control = folder / "control"
    control.mkdir(parents=True, exist_ok=True)
    return {
        "data_folder_in": str(folder),
        "data_folder_out": str(folder),
        "control_folder": str(control),
        "polling_interval": POLLING_SECONDS,
    }
