"""Batches under faults, and single requests beside a saturating batch; a real service, the model stood in for.

Bars: every line of a batch of 1,000 is accounted for although a worker is killed and another batch is cancelled
meanwhile; the p95 of single requests beside a saturating batch is at most twice that of an idle system.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import signal
import statistics
import sys
import tarfile
import tempfile
import time
from collections import Counter
from datetime import timedelta
from pathlib import Path

import httpx
from rich.console import Console
from rich.table import Table

from service.embedded.serving import RunningService, running_service
from service.settings import Settings

WORKER = (sys.executable, "-m", "tests.service.fake_worker")
QUEUES = "prepare,encode,score"
WAV = b"RIFF\x00\x00\x00\x00WAVE" + b"x" * 100
ENDED = {"finished", "cancelled"}
FINAL = {"succeeded", "abstained", "failed", "cancelled"}
KILL_AFTER_SECONDS, CANCEL_AFTER_SECONDS = 3.0, 1.5


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lines", type=int, default=1000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--singles", type=int, default=60, help="single requests for each of the two p95")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(data_dir=Path(folder), port=0, workers=(QUEUES,) * options.workers, threads=1)
        with running_service(settings, WORKER) as service, client_of(service) as client:
            Console().print(accounting(service, client, options.lines))
            Console().print(beside(client, options.lines, options.singles))


def client_of(service: RunningService) -> httpx.Client:
    headers = {"Authorization": f"Bearer {service.first_key}"}
    return httpx.Client(base_url=service.url, headers=headers, timeout=120, trust_env=False)


def accounting(service: RunningService, client: httpx.Client, lines: int) -> Table:
    """One batch to its end, a second one cancelled, a worker killed."""
    started = time.monotonic()
    whole, cancelled = (post(client, lines) for _ in range(2))
    posted = time.monotonic() - started
    time.sleep(CANCEL_AFTER_SECONDS)
    began = time.monotonic()
    client.delete(cancelled).raise_for_status()
    cancelling = time.monotonic() - began
    time.sleep(max(0.0, KILL_AFTER_SECONDS - CANCEL_AFTER_SECONDS - cancelling))
    for pid in service.supervisor.pids("worker-1"):
        os.kill(pid, signal.SIGKILL)
    table = Table(
        "batch", "lines", "answered once", "twice", "never", "states", "seconds",
        title=f"posted in {posted:.1f} s, cancelled in {cancelling:.1f} s, a worker killed at {KILL_AFTER_SECONDS:g} s",
    )  # fmt: skip
    for name, path in (("whole", whole), ("cancelled", cancelled)):
        wait_for_end(client, path)
        answered = [json.loads(line) for kind in ("output", "errors") for line in read(client, f"{path}/{kind}")]
        times = Counter(line["custom_id"] for line in answered)
        states = Counter(line["state"] for line in answered)
        table.add_row(
            name,
            str(lines),
            str(sum(count == 1 for count in times.values())),
            str(sum(count > 1 for count in times.values())),
            str(lines - len(times)),
            ", ".join(f"{count} {state}" for state, count in states.items()),
            f"{time.monotonic() - started:.1f}",
        )
    return table


def beside(client: httpx.Client, lines: int, singles: int) -> Table:
    """From POST to result of single requests, alone and beside a batch that keeps every worker busy."""
    idle = [single(client) for _ in range(singles)]
    path = post(client, lines)
    saturated = []
    while len(saturated) < singles and client.get(path).json()["state"] not in ENDED:
        saturated.append(single(client))
    client.delete(path)
    table = Table("system", "requests", "median", "p95", title="a single request, POST to result")
    for name, times in (("idle", idle), ("beside a batch", saturated)):
        table.add_row(name, str(len(times)), f"{statistics.median(times):.3f} s", f"{p95(times):.3f} s")
    table.add_row("ratio", "", "", f"{p95(saturated) / p95(idle):.2f}")
    return table


def p95(times: list[float]) -> float:
    return statistics.quantiles(times, n=20)[-1]


def single(client: httpx.Client) -> float:
    started = time.monotonic()
    location = client.post("/v1/assessments", files={"audio": ("a", WAV)}).headers["location"]
    while client.get(location).json()["state"] not in FINAL:
        time.sleep(0.01)
    return time.monotonic() - started


def post(client: httpx.Client, lines: int) -> str:
    """A batch of short recordings as one tar; returns its path."""
    manifest = "".join(f'{{"custom_id": "v{number}", "audio": "{number}.wav"}}\n' for number in range(lines))
    body = io.BytesIO()
    with tarfile.open(fileobj=body, mode="w") as tar:
        for name, content in (("manifest.jsonl", manifest.encode()), *((f"{n}.wav", WAV) for n in range(lines))):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    headers = {"Content-Type": "application/x-tar"}
    return client.post("/v1/batches", content=body.getvalue(), headers=headers).raise_for_status().headers["location"]


def wait_for_end(client: httpx.Client, path: str, within: timedelta = timedelta(minutes=8)) -> None:
    deadline = time.monotonic() + within.total_seconds()
    while client.get(path).json()["state"] not in ENDED:
        if time.monotonic() > deadline:
            raise TimeoutError(client.get(path).text)
        time.sleep(0.2)


def read(client: httpx.Client, path: str) -> list[str]:
    return client.get(path).raise_for_status().text.splitlines()


if __name__ == "__main__":
    main()
