"""What kill -9 costs in the middle of a long recording: segments computed twice.

One recording of an hour goes through the real service on its embedded defaults; its worker is killed when a tenth, half
and nine tenths of the segments are done. Bar: at most one chunk is computed again each time.
"""

from __future__ import annotations

import argparse
import os
import signal
import tempfile
import time
from pathlib import Path

import httpx
from rich.console import Console
from rich.table import Table
from sqlalchemy import select

from bench.watched.interview import post_interview, write_interview
from service.embedded.serving import RunningService, running_service
from service.settings import Settings
from service.storage.database import Database
from service.storage.tables import StageRow

SEED = 4244
FRACTIONS = (0.1, 0.5, 0.9)
FINAL = {"succeeded", "abstained", "failed", "cancelled"}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=60.0, help="of the participant's speech")
    minutes = parser.parse_args().minutes
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_interview(folder, seed=SEED, minutes=minutes)
        with running_service(Settings(data_dir=folder / "data", port=0)) as service:
            Console().print(_kill_on_the_way(service, folder))


def _kill_on_the_way(service: RunningService, folder: Path) -> Table:
    database = Database(service.settings.database)
    headers = {"Authorization": f"Bearer {service.first_key}"}
    table = Table("killed at", "in hand", "until a worker went on")
    with httpx.Client(base_url=service.url, headers=headers, timeout=120, trust_env=False) as client:
        location = post_interview(client, folder)
        for fraction in FRACTIONS:
            _wait_for(lambda at=fraction: _done(client, location) >= at)
            before, held = _computed(database), _held(database)
            (pid,) = service.supervisor.pids("worker-1")
            os.kill(pid, signal.SIGKILL)
            killed_at = time.perf_counter()
            _wait_for(lambda claimed=before[0]: _computed(database)[0] > claimed or _ended(client, location))
            seconds = time.perf_counter() - killed_at
            table.add_row(f"{fraction:.0%}", f"{held} segments", f"{seconds:.1f} s")
        _wait_for(lambda: _ended(client, location))
        assessment = client.get(location).json()
    _, again, chunks = _computed(database)
    total = assessment["progress"]["segments_total"]
    table.caption = f"{assessment['state']}; of {total} segments {again} were computed again, in {chunks} chunks"
    database.close()
    return table


def _done(client: httpx.Client, location: str) -> float:
    progress = client.get(location).raise_for_status().json()["progress"]
    return progress["segments_done"] / (progress["segments_total"] or 1_000_000)


def _ended(client: httpx.Client, location: str) -> bool:
    return client.get(location).raise_for_status().json()["state"] in FINAL


def _held(database: Database) -> int:
    with database.reading() as session:
        return sum(session.scalars(select(StageRow.segments).where(StageRow.state == "leased")))


def _computed(database: Database) -> tuple[int, int, int]:
    """Claims of chunks so far; segments and chunks that were claimed more than once."""
    with database.reading() as session:
        rows = session.execute(select(StageRow.attempt, StageRow.segments).where(StageRow.kind == "encode")).all()
    again = [(row.attempt - 1, row.segments) for row in rows if row.attempt > 1]
    claims = sum(row.attempt for row in rows)
    return claims, sum(times * segments for times, segments in again), sum(times for times, _ in again)


def _wait_for(condition) -> None:  # noqa: ANN001
    while not condition():
        time.sleep(0.02)


if __name__ == "__main__":
    main()
