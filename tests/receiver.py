"""A receiver of webhooks: a real HTTP server in a thread, which answers as a test wants and keeps what came."""

import ssl
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True, kw_only=True)
class Received:
    """One request."""

    path: str
    headers: dict[str, str]
    body: bytes


class Receiver:
    """Answers with `status` and `headers`, once released if it hangs. Use as a context.

    `most_held` is how many requests it had in hand at once.
    """

    def __init__(self, status=204, *, headers=None, hangs=False, port=0, tls: ssl.SSLContext | None = None):
        self.status = status
        self.headers = headers or {}
        self.held = self.most_held = 0
        self._counting = threading.Lock()
        self.requests: list[Received] = []
        self.release = threading.Event()
        if not hangs:
            self.release.set()
        self._server = ThreadingHTTPServer(("127.0.0.1", port), self._handler())
        self._server.daemon_threads = True
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self.port = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self.release.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @contextmanager
    def _holding(self):
        with self._counting:
            self.held += 1
            self.most_held = max(self.held, self.most_held)
        yield
        with self._counting:
            self.held -= 1

    def _handler(self):
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                receiver.requests.append(Received(path=self.path, headers=headers, body=body))
                with receiver._holding():
                    receiver.release.wait(20)
                try:
                    self.send_response(receiver.status)
                    for name, value in receiver.headers.items():
                        self.send_header(name, value)
                    self.end_headers()
                except OSError:
                    return  # the sender has not waited

            def log_message(self, *_):
                pass

        return Handler
