"""What the service adds to the model, and how many can watch meanwhile.

A recording of ten minutes goes through the real service on its embedded defaults. Its worker notes how long the
calls of the model took (decode and cut, encode, score): bar, POST to result is at most 1.05 times their sum. Then the
worker is kept busy with an hour and several clients read states as fast as they can: bar, 300 reads a second.
"""

from __future__ import annotations

import argparse
import http.client
import json
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from http import HTTPStatus
from pathlib import Path

import httpx
from rich.console import Console
from rich.table import Table

from bench.watched.interview import post_interview, write_interview
from service.embedded.serving import RunningService, running_service
from service.settings import Settings

SEED = 4245
FINAL = {"succeeded", "abstained", "failed", "cancelled"}
TIMED = (sys.executable, "-m", "bench.watched.timed_worker")
READERS = 4


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10.0, help="of the participant's speech")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=10.0, help="of reading")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_interview(folder / "ten", seed=SEED, minutes=options.minutes)
        write_interview(folder / "hour", seed=SEED, minutes=6 * options.minutes)
        with running_service(Settings(data_dir=folder / "data", port=0), TIMED) as service:
            Console().print(_cost(service, folder / "ten", options.rounds))
            Console().print(_reads(service, folder / "hour", options.seconds))


def _client(service: RunningService) -> httpx.Client:
    headers = {"Authorization": f"Bearer {service.first_key}"}
    return httpx.Client(base_url=service.url, headers=headers, timeout=120, trust_env=False)


def _cost(service: RunningService, folder: Path, rounds: int) -> Table:
    table = Table("round", "POST to result", "client has it", "calls of the model", "ratio")
    ratios = []
    with _client(service) as client:
        for number in range(rounds):
            before = sum(_calls(service))
            started = time.time()
            location = post_interview(client, folder)
            while (assessment := client.get(location, headers={"Prefer": "wait=30"}).json())["state"] not in FINAL:
                pass
            heard = time.time() - started
            whole = datetime.fromisoformat(assessment["finished_at"]).timestamp() - started
            calls = sum(_calls(service)) - before
            ratios.append(whole / calls)
            times = (f"{seconds:.2f} s" for seconds in (whole, heard, calls))
            table.add_row(str(number + 1), *times, f"{ratios[-1]:.3f}")
    table.add_row("median", "", "", "", f"{statistics.median(ratios):.3f}")
    return table


def _calls(service: RunningService) -> Iterator[float]:
    """Seconds of every call of the model so far."""
    for line in (service.settings.folder / "calls.jsonl").read_text().splitlines():
        yield json.loads(line)["seconds"]


def _reads(service: RunningService, folder: Path, seconds: float) -> Table:
    with _client(service) as client:
        location = post_interview(client, folder)
        while client.get(location).json()["state"] != "encoding":
            time.sleep(0.1)
        counts = [0] * READERS
        deadline = time.perf_counter() + seconds
        threads = [
            threading.Thread(target=_read, args=(service, location, deadline, counts, i)) for i in range(READERS)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        busy = client.get(location).json()["state"] == "encoding"
        client.delete(location)
    table = Table("readers", "reads a second", "worker busy to the end")
    table.add_row(str(READERS), f"{sum(counts) / seconds:.0f}", "yes" if busy else "no")
    return table


def _read(service: RunningService, location: str, deadline: float, counts: list[int], own: int) -> None:
    # The standard library's client: on two cores a heavier one would mostly measure itself.
    connection = http.client.HTTPConnection(service.url.removeprefix("http://"), timeout=30)
    with closing(connection):
        while time.perf_counter() < deadline:
            connection.request("GET", location, headers={"Authorization": f"Bearer {service.first_key}"})
            answer = connection.getresponse()
            answer.read()
            if answer.status != HTTPStatus.OK:
                raise SystemExit(f"a read was answered with {answer.status}")
            counts[own] += 1


if __name__ == "__main__":
    main()
