"""A stand-in for `hilbert serve`: speaks just enough of the HTTP contract for the demo, and misbehaves on request.

Run as `python stand_in.py MODE WITNESS`; it writes its process id to the file WITNESS, outside the data folder.
"""

import json
import os
import signal
import sys
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

MODE, WITNESS = sys.argv[1], Path(sys.argv[2])
KEY = "hil_" + "k" * 43
RESULT = json.loads(Path(__file__).with_name("scored.json").read_text())
PROBLEM = {
    "title": "No model is loaded yet",
    "code": "model_not_ready",
    "detail": "Nothing can score this.",
    "advice": "Try again in 5 seconds.",
}


class Service(BaseHTTPRequestHandler):
    polls = 0

    def log_message(self, *_):
        pass

    def answer(self, status, body, headers=()):
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers["Authorization"] != f"Bearer {KEY}" or b'name="audio"' not in body:
            return self.answer(401, {**PROBLEM, "code": "unauthenticated"})
        if MODE == "refuses":
            return self.answer(503, PROBLEM)
        if MODE == "stammers":
            return self.answer(500, b"<html>")
        if MODE == "dies later":
            os._exit(3)
        return self.answer(202, {"id": "a1"}, [("Location", "/v1/assessments/a1")])

    def do_GET(self):
        if self.path == "/healthz":
            return self.answer(503 if MODE == "never ready" else 200, {})
        Service.polls += 1
        return self.answer(200, self.assessment())

    def assessment(self):
        steps = [
            ("queued", {"stage": "queued", "segments_done": 0, "segments_total": None}),
            ("encoding", {"stage": "encode", "segments_done": 1, "segments_total": 3}),
        ]
        if MODE == "endless":
            state, progress = steps[1]
        elif Service.polls <= len(steps):
            state, progress = steps[Service.polls - 1]
        elif MODE == "fails":
            return {"state": "failed", "error": {**PROBLEM, "code": "too_many_attempts"}}
        else:
            state, progress = "succeeded", {"stage": None, "segments_done": 3, "segments_total": 3}
        result = RESULT if state == "succeeded" else None
        return {"id": "a1", "state": state, "progress": progress, "result": result, "error": None}


def main():
    WITNESS.write_text(str(os.getpid()))
    data = Path(os.environ["HILBERT_DATA_DIR"])
    data.mkdir(parents=True)
    (data / "half-written").write_text("x")
    if MODE != "no key":
        sys.stdout.write(f"API key, shown once: {KEY}\n")
    if MODE == "dies":
        sys.exit("the database is locked")
    if MODE == "stubborn":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if MODE == "slow start":
        time.sleep(60)
    HTTPServer(("127.0.0.1", int(os.environ["HILBERT_PORT"])), Service).serve_forever()


main()
