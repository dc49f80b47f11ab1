"""Whether the service keeps its word: the time it says an assessment will take, and the moment it says to come back.

The real API and a real worker of several slots, with a stand-in for the model whose stages take a known time. First a
queue of mixed lengths: the expected seconds told at submission and half way, against what it took. Then twice as many
submissions as the worker can do, by clients that obey Retry-After. Bars: the expectation is at most 25 % off, and at
least 90 % of the refused clients are let in at their first retry.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import struct
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median, quantiles

import httpx
from rich.console import Console
from rich.table import Table
from sqlalchemy import update

from service.embedded.serving import RunningService, running_service
from service.settings import Settings
from service.storage.database import Database
from service.storage.tables import AssessmentRow

WORKER = (sys.executable, "-m", "tests.service.fake_worker")
SEED = 20
CHUNK_BYTES = 160
BYTES_A_SECOND = 32_000
CHUNKS = (1, 1, 2, 2, 3, 4, 6, 9)
WARM_UP = 10
PACE_MILLISECONDS = 200
LONGEST_QUEUE = timedelta(seconds=8)
FLOOD_EVERY = 0.1
LOOK_EVERY = 0.5
FIRST_RETRY = 2
REFUSALS = {httpx.codes.SERVICE_UNAVAILABLE, httpx.codes.TOO_MANY_REQUESTS}
FINAL = {"succeeded", "abstained", "failed", "cancelled"}


@dataclass(slots=True, kw_only=True)
class Followed:
    """One submission: what it was told, and when it really ended."""

    id: str
    sent_at: float
    reports: list[tuple[float, float | None]] = field(default_factory=list)
    ended_at: float | None = None

    @property
    def took(self) -> float:
        """Seconds from its submission to its end."""
        return (self.ended_at or self.sent_at) - self.sent_at

    def error_at(self, share: float) -> float | None:
        """How far off the expectation was when this share of its time had passed, as a share of what was left."""
        moment = self.sent_at + share * self.took
        known = [(at, eta) for at, eta in self.reports if eta is not None and self.ended_at and at < self.ended_at]
        if not known or self.ended_at is None:
            return None
        at, eta = min(known, key=lambda report: abs(report[0] - moment))
        return abs(eta - (self.ended_at - at)) / (self.ended_at - at)


@dataclass(slots=True, kw_only=True)
class Client:
    """One submission under overload: how often it was sent and what it was told."""

    key: str | None = None
    sent: int = 0
    retry_after: list[int] = field(default_factory=list)
    eta: float | None = None


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--slots", type=int, default=3)
    parser.add_argument("--assessments", type=int, default=70, help="in the queue of mixed lengths")
    parser.add_argument("--overload", type=float, default=40.0, help="seconds of twice the capacity")
    parser.add_argument("--separate", action="store_true", help="a worker of its own for encoding")
    arguments = parser.parse_args()
    workers = ("prepare,score", "encode") if arguments.separate else ("prepare,encode,score",)
    with _service(workers, arguments.slots, timedelta(hours=1)) as service:
        rate = asyncio.run(expectations(service, arguments.assessments))
    if arguments.overload:
        with _service(workers, arguments.slots, LONGEST_QUEUE) as service:
            asyncio.run(overload(service, 2 * rate, arguments.overload))


async def expectations(service: RunningService, count: int) -> float:
    """Print how far expectations were off; returns how many were done in a second while the queue was full."""
    chance = random.Random(SEED)
    async with _http(service) as http:
        await _warm_up(http, service, chance)
        looking = asyncio.create_task(_look(http, followed := {}))
        for number in range(count):
            submission = await _send(http, service, chance.choice(CHUNKS))
            followed[submission.id] = submission
            # A queue that grows fast, yet no flood that takes the processor from the worker; then about what it can do.
            await asyncio.sleep(FLOOD_EVERY if number < count // 2 else chance.expovariate(2.0))
        await looking
    ended = sorted(item.ended_at for item in followed.values() if item.ended_at is not None)
    table = Table("expected seconds told", "samples", "median error", "p90 error", "median seconds left")
    for name, share in (("at submission", 0.0), ("half way", 0.5)):
        errors = [error for item in followed.values() if (error := item.error_at(share)) is not None]
        left = median((1 - share) * item.took for item in followed.values())
        worst = quantiles(errors, n=10)[-1]
        table.add_row(name, str(len(errors)), f"{median(errors):.0%}", f"{worst:.0%}", f"{left:.1f}")
    Console().print(table)
    tenth = len(ended) // 10
    return (len(ended) - 2 * tenth) / (ended[-tenth - 1] - ended[tenth])


async def overload(service: RunningService, rate: float, seconds: float) -> None:
    """Print how clients fared that came at this rate and did as they were told."""
    chance = random.Random(SEED)
    async with _http(service) as http:
        await _warm_up(http, service, chance)
        clients: list[Client] = []
        tasks = []
        started = time.monotonic()
        while time.monotonic() < started + seconds:
            clients.append(Client(key=str(uuid.uuid4()) if len(clients) % 2 else None))
            tasks.append(asyncio.create_task(_obey(http, clients[-1], chance.choice(CHUNKS))))
            await asyncio.sleep(chance.expovariate(rate))
        await asyncio.gather(*tasks)
    table = Table(
        "clients",
        "sent",
        "refused at first",
        "let in at the first retry",
        "told to wait, median",
        "most",
        "longest ETA",
    )
    with_key = [client for client in clients if client.key is not None]
    without = [client for client in clients if client.key is None]
    for name, group in (("each request its key", with_key), ("one API key for all", without), ("together", clients)):
        refused = [client for client in group if client.retry_after]
        first_try = [client for client in refused if client.sent == FIRST_RETRY]
        table.add_row(
            name,
            str(len(group)),
            str(len(refused)),
            f"{len(first_try) / max(1, len(refused)):.1%}",
            f"{median(client.retry_after[0] for client in refused) if refused else 0} s",
            f"{max((client.retry_after[0] for client in refused), default=0)} s",
            f"{max(client.eta or 0.0 for client in group):.1f} s",
        )
    Console().print(table)


@contextmanager
def _service(workers: tuple[str, ...], slots: int, max_queue_wait: timedelta) -> Iterator[RunningService]:
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(
            data_dir=Path(folder), port=0, workers=workers, concurrency=slots, max_queue_wait=max_queue_wait
        )
        with running_service(settings, WORKER) as service:
            yield service


def _http(service: RunningService) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        base_url=service.url,
        headers={"Authorization": f"Bearer {service.first_key}"},
        timeout=60,
        trust_env=False,
        limits=httpx.Limits(max_connections=20),
    )


async def _warm_up(http: httpx.AsyncClient, service: RunningService, chance: random.Random) -> None:
    """Enough of all lengths that the service knows its pace."""
    for _ in range(WARM_UP):
        await _send(http, service, chance.choice(CHUNKS))
    while any(item["state"] not in FINAL for item in await _list(http)):
        await asyncio.sleep(LOOK_EVERY)


async def _send(http: httpx.AsyncClient, service: RunningService, chunks: int) -> Followed:
    sent_at = time.time()
    response = await http.post("/v1/assessments", files={"audio": ("x", _audio(chunks))})
    response.raise_for_status()
    body = response.json()
    submission = Followed(id=body["id"], sent_at=sent_at)
    if not _guess(service, body["id"], chunks):
        submission.reports.append((time.time(), body["progress"]["eta_seconds"]))
    return submission


def _guess(service: RunningService, assessment_id: str, chunks: int) -> bool:
    """Set the length, as long as submission does not."""
    database = Database(service.settings.database)
    with database.writing() as session:
        changed = session.execute(
            update(AssessmentRow)
            .where(AssessmentRow.id == assessment_id, AssessmentRow.audio_seconds.is_(None))
            .values(audio_seconds=len(_audio(chunks)) / BYTES_A_SECOND)
        )
    database.close()
    return bool(changed.rowcount)


async def _look(http: httpx.AsyncClient, followed: dict[str, Followed]) -> None:
    """Ask for everybody's expectation, until all have ended."""
    while not followed or any(item.ended_at is None for item in followed.values()):
        await asyncio.sleep(LOOK_EVERY)
        for item in await _list(http):
            submission = followed.get(item["id"])
            if submission is None or submission.ended_at is not None:
                continue
            submission.reports.append((time.time(), item["progress"]["eta_seconds"]))
            if item["finished_at"] is not None:
                submission.ended_at = datetime.fromisoformat(item["finished_at"]).astimezone(UTC).timestamp()


async def _list(http: httpx.AsyncClient) -> list[dict]:
    response = await http.get("/v1/assessments", params={"limit": 100})
    response.raise_for_status()
    return response.json()["items"]


async def _obey(http: httpx.AsyncClient, client: Client, chunks: int) -> None:
    headers = {} if client.key is None else {"Idempotency-Key": client.key}
    while True:
        client.sent += 1
        response = await http.post("/v1/assessments", files={"audio": ("x", _audio(chunks))}, headers=headers)
        if response.status_code == httpx.codes.ACCEPTED:
            client.eta = response.json()["progress"]["eta_seconds"]
            return
        if response.status_code not in REFUSALS:
            raise RuntimeError(f"{response.status_code}: {response.text}")
        client.retry_after.append(int(response.headers["Retry-After"]))
        await asyncio.sleep(client.retry_after[-1])


def _audio(chunks: int) -> bytes:
    """A WAV of so many chunks, as the stand-in counts them, that says how long each takes."""
    words = b"pace=%d " % PACE_MILLISECONDS
    data = words + b"x" * (chunks * CHUNK_BYTES - 44 - len(words))
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, 16_000, BYTES_A_SECOND, 2, 16)
    return b"RIFF" + struct.pack("<I", 36 + len(data)) + b"WAVE" + form + b"data" + struct.pack("<I", len(data)) + data


if __name__ == "__main__":
    main()
