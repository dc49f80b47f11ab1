"""Clients that read and write through the proxy as users do, and count every answer they get."""

import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.docker.stack import FINAL, ROOT, Stack

TRANSCRIPT = (ROOT / "examples" / "interview.vtt").read_bytes()
NOWHERE = "https://clinic.example/hooks"
SERVER_ERROR = 500
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
        return {name: count for name, count in self.first.items() if not name.split()[1].startswith("2")}


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
        with self._stack.client(self._key) as http:
            client = Client(http, self.counts, self._lock, name=f"client-{number}")
            turn = number
            while not self._stopping.is_set():
                turn += 1
                client.ask(turn)
                self._stopping.wait(self._pause)
            client.leave()


class Client:
    """One of the load's: every other turn reads, the others write, in requests that lead to each other."""

    def __init__(self, http: httpx.Client, counts: Counts, lock: threading.Lock, *, name: str) -> None:
        self._http = http
        self._counts = counts
        self._lock = lock
        self._name = name
        self._keys = 0
        self._hook = ""

    def ask(self, turn: int) -> None:
        """Make the request of this turn; those that need others first make them too."""
        writing = (self._submit, self._change_webhook, self._submit_upload, self._drop_upload)
        if turn % 2 == 0:
            writing[turn // 2 % len(writing)]()
        else:
            last = self._counts.accepted[-1:]
            self._send("GET", f"/v1/assessments/{last[0]}" if last else "/v1/assessments")

    def leave(self) -> None:
        """Delete the webhook: a tenant may have only so many."""
        if self._hook:
            self._send("DELETE", self._hook)

    def _submit(self) -> None:
        self._accepted(self._send("POST", "/v1/assessments", files={"transcript": TRANSCRIPT}))

    def _submit_upload(self) -> None:
        if upload := self._upload():
            body = {"transcript": {"upload": upload.rpartition("/")[2]}}
            self._accepted(self._send("POST", "/v1/assessments", json=body))

    def _drop_upload(self) -> None:
        if upload := self._upload():
            self._send("DELETE", upload)

    def _change_webhook(self) -> None:
        if not self._hook:
            made = self._send("POST", "/v1/webhooks", json={"url": NOWHERE, "events": ["batch.finished"]})
            self._hook = made.headers["location"] if made is not None else ""
        elif self._send("PATCH", self._hook, json={"enabled": False}) is not None:
            self._send("POST", f"{self._hook}/rotate-secret")

    def _upload(self) -> str | None:
        """Where a file was uploaded, in one piece; as tus has it, one who got no answer asks how far it came."""
        made = self._send("POST", "/v1/uploads", headers={"Upload-Length": str(len(TRANSCRIPT))})
        if made is None:
            return None
        headers = {"Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"}
        location = made.headers["location"]
        sent = self._send("PATCH", location, content=TRANSCRIPT, headers=headers, look=self._whole)
        return None if sent is None else location

    def _whole(self, location: str) -> httpx.Response | None:
        _, answer = self._try("HEAD", location)
        whole = answer is not None and answer.headers.get("upload-offset") == str(len(TRANSCRIPT))
        return answer if whole else None

    def _accepted(self, answer: httpx.Response | None) -> None:
        if answer is not None:
            with self._lock:
                self._counts.accepted.append(answer.json()["id"])

    def _send(
        self, method: str, path: str, *, look: Callable[[str], httpx.Response | None] | None = None, **options: Any
    ) -> httpx.Response | None:
        """The answer of success, in the end; `look` looks whether an earlier try was one though nobody said so."""
        self._keys += 1
        options["headers"] = options.get("headers", {}) | {"Idempotency-Key": f"{self._name}-{self._keys}"}
        deadline, tries = time.monotonic() + PATIENCE_SECONDS, 0
        while time.monotonic() < deadline:
            begun = time.monotonic()
            status, answer = self._try(method, path, **options)
            with self._lock:
                self._counts.slowest = max(self._counts.slowest, time.monotonic() - begun)
                if not tries:
                    self._counts.first[f"{method} {status}"] += 1
            if answer is not None and (answer.is_success or (tries and _gone(method, answer))):
                return answer
            if look is not None and (found := look(path)) is not None:
                return found
            tries += 1
            if answer is not None and "retry-after" not in answer.headers and answer.status_code < SERVER_ERROR:
                break
            time.sleep(float(answer.headers.get("retry-after", 1)) if answer is not None else 0.5)
        with self._lock:
            self._counts.failed.append(f"{method} {status}")
        return None

    def _try(self, method: str, path: str, **options: Any) -> tuple[str, httpx.Response | None]:
        headers = {"Tus-Resumable": "1.0.0"} | options.pop("headers", {})
        try:
            answer = self._http.request(method, path, headers=headers, **options)
        except httpx.TransportError as error:
            return type(error).__name__, None
        return str(answer.status_code), answer


def _gone(method: str, answer: httpx.Response) -> bool:
    """Whether what an earlier try was to delete is not there any more."""
    return method == "DELETE" and answer.status_code == httpx.codes.NOT_FOUND
