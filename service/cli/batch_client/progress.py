"""Progress bars of `hilbert batch` while it uploads and waits."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import httpx
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from service.cli.batch_client.client import GONE_STATUSES, ServiceClient, StopRequested, expect, retry_after_seconds
from service.cli.batch_client.errors import invalid_input

FINAL_STATES = ("finished", "cancelled")
SHOWN_COUNTS = ("running", "succeeded", "abstained", "failed", "cancelled")
MIN_POLL_SECONDS = 1.0


@contextmanager
def upload_bar(console: Console, size: int) -> Iterator[Progress]:
    """A progress bar in bytes with a single task."""
    columns = (TextColumn("Uploading"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as progress:
        progress.add_task("", total=size)
        yield progress


def wait_for_batch(client: ServiceClient, path: str, console: Console) -> dict[str, Any]:
    """Poll until the batch is final, and return it. Raises BatchCommandError, StopRequested."""
    columns = (TextColumn("Scoring  "), BarColumn(), TaskProgressColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("", total=None)
        while True:
            answer = client.request("GET", path)
            if answer.status_code in GONE_STATUSES:
                raise invalid_input(
                    "The service has no such batch any more: it was erased. Delete the journal to start again."
                )
            batch: dict[str, Any] = expect(answer, httpx.codes.OK).json()
            counts = batch["counts"]
            ended = sum(counts[name] for name in ("succeeded", "abstained", "failed", "cancelled"))
            progress.update(task, total=counts["total"], completed=ended, description=describe_batch(batch))
            if batch["state"] in FINAL_STATES:
                return batch
            if client.stop.wait(max(MIN_POLL_SECONDS, retry_after_seconds(answer))):
                raise StopRequested


def describe_batch(batch: dict[str, Any]) -> str:
    """The counts and the remaining time in one line."""
    counts = batch["counts"]
    facts = [f"{counts['queued']} waiting", *(f"{counts[name]} {name}" for name in SHOWN_COUNTS if counts[name])]
    if batch["state"] not in FINAL_STATES and batch["eta_seconds"] is not None:
        facts.append(f"about {timedelta(seconds=round(batch['eta_seconds']))} left")
    return ", ".join(facts)
