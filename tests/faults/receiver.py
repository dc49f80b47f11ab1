"""A webhook receiver that is sometimes out of order, and remembers what it has taken."""

import json
import random
import threading
from collections import defaultdict
from contextlib import AbstractContextManager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Receiver(AbstractContextManager):
    """Answers 204, or 500 with the probability `failing`; `taken` maps an assessment to the ids of its messages."""

    def __init__(self, *, failing: float = 0.0, seed: int = 0) -> None:
        self.failing = failing
        self.attempts = 0
        self.taken: dict[str, set[str]] = defaultdict(set)
        self._chance = random.Random(seed)
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}/hooks"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> "Receiver":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def take(self, message: str, body: dict) -> int:
        with self._lock:
            self.attempts += 1
            if self._chance.random() < self.failing:
                return 500
            self.taken[body["data"]["id"]].add(message)
        return 204

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                self.send_response(receiver.take(self.headers["webhook-id"], body))
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        return Handler
