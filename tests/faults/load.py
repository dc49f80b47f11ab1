"""Clients that submit short assessments whatever happens, and remember every 202 they were given."""

import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass

import httpx

PATIENCE_SECONDS = 300.0
PAUSE_SECONDS = 0.2
SEGMENT_BYTES = 10
HEAD = b"RIFF\x00\x00\x00\x00WAVE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """A 202: the id it named and how many segments the material holds."""

    key: str
    id: str
    segments: int
    tries: int


def material(number: int, *, words: bytes = b"") -> bytes:
    """Audio of a few segments for the fake model, different for every number; every fourth is slow to encode."""
    words += b"slow" if number % 4 == 0 else b""
    return HEAD + words + b"%06d" % number + b"x" * (SEGMENT_BYTES * (2 + number % 60))


class Clients:
    """Several clients that share out a list of numbers and send one assessment for each, until it is accepted."""

    def __init__(self, url: str, key: str, *, clients: int = 4, a_second: float = 20.0, words: bytes = b"") -> None:
        self._url = url
        self._headers = {"Authorization": f"Bearer {key}"}
        self._pause = clients / a_second
        self._words = words
        self._clients = clients
        self._lock = threading.Lock()
        self.accepted: list[Accepted] = []
        self.failures: list[str] = []
        self.statuses: dict[str, int] = {}

    def send(self, numbers: Iterable[int]) -> None:
        """Send one for each number; returns when all were accepted, or gave up."""
        queue = iter(list(numbers))
        threads = [threading.Thread(target=self._run, args=(queue,)) for _ in range(self._clients)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _run(self, queue: Iterable[int]) -> None:
        with httpx.Client(base_url=self._url, headers=self._headers, timeout=30, trust_env=False) as http:
            while (number := self._next(queue)) is not None:
                begun = time.monotonic()
                self._submit(http, number)
                time.sleep(max(0.0, self._pause - (time.monotonic() - begun)))

    def _next(self, queue: Iterable[int]) -> int | None:
        with self._lock:
            return next(iter(queue), None)

    def _submit(self, http: httpx.Client, number: int) -> None:
        key, audio = f"client-{number}", material(number, words=self._words)
        deadline = time.monotonic() + PATIENCE_SECONDS
        tries = 0
        while time.monotonic() < deadline:
            tries += 1
            status, answer = self._post(http, key, audio)
            with self._lock:
                self.statuses[status] = self.statuses.get(status, 0) + 1
                if status == "202":
                    segments = len(audio) // SEGMENT_BYTES
                    self.accepted.append(Accepted(key=key, id=answer["id"], segments=segments, tries=tries))
                    return
            time.sleep(PAUSE_SECONDS)
        self.failures.append(key)

    def _post(self, http: httpx.Client, key: str, audio: bytes) -> tuple[str, dict]:
        try:
            response = http.post("/v1/assessments", files={"audio": audio}, headers={"Idempotency-Key": f'"{key}"'})
        except httpx.TransportError as error:
            return type(error).__name__, {}
        return str(response.status_code), response.json() if response.status_code == 202 else {}
