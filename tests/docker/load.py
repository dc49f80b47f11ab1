"""Clients that submit transcripts and read states through the proxy, and count every answer they get."""

import threading
import time
from collections import Counter
from dataclasses import dataclass, field

import httpx

from tests.docker.stack import FINAL, ROOT, Stack

TRANSCRIPT = (ROOT / "examples" / "interview.vtt").read_bytes()
RETRYABLE = {httpx.codes.TOO_MANY_REQUESTS, httpx.codes.SERVICE_UNAVAILABLE}
PATIENCE_SECONDS = 180.0


@dataclass(slots=True, kw_only=True)
class Counts:
    """`first`: answers to first tries, by method and status; `failed`: what was given up; `accepted`: ids of 202s."""

    first: Counter = field(default_factory=Counter)
    failed: list[str] = field(default_factory=list)
    accepted: list[str] = field(default_factory=list)
    slowest: float = 0.0

    @property
    def requests(self) -> int:
        """How many first tries there were."""
        return sum(self.first.values())

    @property
    def retried(self) -> dict[str, int]:
        """First tries that were not answered with success: what a client that honours Retry-After sent again."""
        return {name: count for name, count in self.first.items() if not name.endswith(("200", "202"))}


class Load:
    """Runs from entering to leaving the block; a client sends the next request when it has its answer."""

    def __init__(self, stack: Stack, *, clients: int = 4, pause: float = 0.3) -> None:
        self._stack = stack
        self._key = stack.new_key("load")
        self._pause = pause
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._run, args=(number,)) for number in range(clients)]
        self.counts = Counts()

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    def lost(self, within: float = 600) -> list[str]:
        """What was accepted and has not succeeded in time, with its state."""
        left, deadline = dict.fromkeys(self.counts.accepted, "never seen"), time.monotonic() + within
        with self._stack.client(self._key) as http:
            while left and time.monotonic() < deadline:
                for accepted in list(left):
                    answer = http.get(f"/v1/assessments/{accepted}")
                    left[accepted] = answer.json()["state"] if answer.status_code == httpx.codes.OK else "gone"
                    if left[accepted] == "succeeded":
                        del left[accepted]
                    elif left[accepted] in FINAL:
                        break
                else:
                    time.sleep(0.5)
        return [f"{name}: {state}" for name, state in left.items()]

    def _run(self, number: int) -> None:
        """Each fourth request submits; the others read."""
        with self._stack.client(self._key) as http:
            turn = number
            while not self._stopping.is_set():
                turn += 1
                if turn % 4 == 0:
                    self._send(http, "POST", "/v1/assessments", key=f"{number}-{turn}")
                else:
                    last = self.counts.accepted[-1:]
                    self._send(http, "GET", f"/v1/assessments/{last[0]}" if last else "/v1/assessments")
                self._stopping.wait(self._pause)

    def _send(self, http: httpx.Client, method: str, path: str, key: str = "") -> None:
        deadline, tries = time.monotonic() + PATIENCE_SECONDS, 0
        while time.monotonic() < deadline:
            begun = time.monotonic()
            status, answer = _answer(http, method, path, key)
            with self._lock:
                self.counts.slowest = max(self.counts.slowest, time.monotonic() - begun)
                if not tries:
                    self.counts.first[f"{method} {status}"] += 1
                if answer is not None and answer.is_success:
                    if method == "POST":
                        self.counts.accepted.append(answer.json()["id"])
                    return
            tries += 1
            if answer is not None and answer.status_code not in RETRYABLE:
                break
            time.sleep(float(answer.headers.get("retry-after", 1)) if answer is not None else 0.5)
        with self._lock:
            self.counts.failed.append(f"{method} {status}")


def _answer(http: httpx.Client, method: str, path: str, key: str) -> tuple[str, httpx.Response | None]:
    try:
        if method == "GET":
            answer = http.get(path)
        else:
            answer = http.post(path, files={"transcript": TRANSCRIPT}, headers={"Idempotency-Key": f'"{key}"'})
    except httpx.TransportError as error:
        return type(error).__name__, None
    return str(answer.status_code), answer
