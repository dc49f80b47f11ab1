"""A line between the service and PostgreSQL that breaks at a commit, and on which side of it."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from enum import Enum
from threading import Event, Lock, Thread

from sqlalchemy import make_url

CHUNK = 65_536


class Break(Enum):
    """What becomes of the commit at which the client loses its connection."""

    LOST = "it never arrives, and the server learns that the connection is gone"
    UNANSWERED = "it arrives, and its answer does not"
    LATE = "it arrives once `Wire.release` was called"


class Wire:
    """Passes bytes on until it is told to break; `url` leads through it."""

    def __init__(self, url: str) -> None:
        target = make_url(url)
        self._server = (target.host, target.port)
        self._door = socket.create_server(("127.0.0.1", 0))
        self.url = target.set(port=self._door.getsockname()[1]).render_as_string(hide_password=False)
        self._lock = Lock()
        self._passed = 0
        self._break: tuple[int, Break] | None = None
        self._released = Event()
        self._open: list[socket.socket] = []

    @property
    def broke(self) -> bool:
        """Whether the break that was asked for has come."""
        return self._break is None

    def break_at(self, commit: int, how: Break) -> None:
        """Break once, at the commit of this number from now on, counted from one."""
        with self._lock:
            self._passed, self._break = 0, (commit, how)
        self._released.clear()

    def release(self) -> None:
        """Let what is late arrive."""
        self._released.set()

    def serve(self) -> None:
        """Take connections until the door is closed."""
        with suppress(OSError):
            while True:
                client, _ = self._door.accept()
                server = socket.create_connection(self._server)
                self._open += [client, server]
                Thread(target=self._forward, args=(client, server), daemon=True).start()
                Thread(target=self._back, args=(server, client), daemon=True).start()

    def close(self) -> None:
        """End every connection."""
        self.release()
        for line in (self._door, *self._open):
            _end(line)

    def _forward(self, client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError):
            while content := client.recv(CHUNK):
                how = self._due(content)
                if how is Break.LOST:
                    break
                if how is not None:
                    _end(client)
                if how is Break.LATE:
                    self._released.wait()
                server.sendall(content)
                if how is not None:
                    server.shutdown(socket.SHUT_WR)
                    return
        _end(client)
        _end(server)

    def _back(self, server: socket.socket, client: socket.socket) -> None:
        with suppress(OSError):
            while content := server.recv(CHUNK):
                client.sendall(content)
        _end(client)

    def _due(self, content: bytes) -> Break | None:
        if b"COMMIT" not in content:
            return None
        with self._lock:
            self._passed += 1
            if self._break is None or self._break[0] != self._passed:
                return None
            how = self._break[1]
            self._break = None
            return how


@contextmanager
def wire_to(url: str) -> Iterator[Wire]:
    """A wire to the PostgreSQL of a URL, gone afterwards."""
    wire = Wire(url)
    serving = Thread(target=wire.serve)
    serving.start()
    try:
        yield wire
    finally:
        wire.close()
        serving.join()


def _end(line: socket.socket) -> None:
    with suppress(OSError):
        line.shutdown(socket.SHUT_RDWR)
    line.close()
