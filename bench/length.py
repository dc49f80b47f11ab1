"""What a tenfold longer recording costs: time from POST to result, and the worker's peak memory.

Each recording goes through the real service on its embedded defaults, in a worker of its own. Bars of the first
milestone: 60 minutes of speech take at most 11 times as long as 6, and at most 1.3 times the memory.
"""

from __future__ import annotations

import argparse
import re
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import httpx
from rich.console import Console
from rich.table import Table

from bench.watched.interview import post_interview, write_interview
from service.embedded.serving import RunningService, running_service
from service.settings import Settings

SEED = 4243
FINAL = {"succeeded", "abstained", "failed", "cancelled"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """One recording, assessed by a worker that had assessed nothing before."""

    minutes: float
    segments: int
    seconds: float
    peak_megabytes: float


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, nargs=2, default=(6.0, 60.0), help="of the participant's speech")
    shorter, longer = (measure(minutes) for minutes in parser.parse_args().minutes)
    table = Table("speech", "segments", "POST to result", "times real time", "worker's peak memory")
    for run in (shorter, longer):
        speed = run.minutes * 60 / run.seconds
        table.add_row(
            f"{run.minutes:g} min",
            str(run.segments),
            f"{run.seconds:.1f} s",
            f"{speed:.0f}x",
            f"{run.peak_megabytes:.0f} MB",
        )
    ratios = longer.seconds / shorter.seconds, longer.peak_megabytes / shorter.peak_megabytes
    table.add_row("ratio", f"{longer.segments / shorter.segments:.1f}", f"{ratios[0]:.2f}", "", f"{ratios[1]:.2f}")
    Console().print(table)


def measure(minutes: float) -> Measurement:
    """Assess one recording of that much speech through a service of its own."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_interview(folder, seed=SEED, minutes=minutes)
        with running_service(Settings(data_dir=folder / "data", port=0)) as service:
            seconds, segments = _assess(service, folder)
            return Measurement(
                minutes=minutes, segments=segments, seconds=seconds, peak_megabytes=_peak_megabytes(service)
            )


def _assess(service: RunningService, folder: Path) -> tuple[float, int]:
    headers = {"Authorization": f"Bearer {service.first_key}"}
    with httpx.Client(base_url=service.url, headers=headers, timeout=120, trust_env=False) as client:
        started = time.perf_counter()
        location = post_interview(client, folder)
        while (assessment := client.get(location).raise_for_status().json())["state"] not in FINAL:
            time.sleep(0.1)
        seconds = time.perf_counter() - started
    if assessment["state"] != "succeeded":
        raise SystemExit(
            f"the assessment ended as {assessment['state']}: {assessment['error'] or assessment['result']['quality']}"
        )
    return seconds, assessment["result"]["quality"]["segments"]


def _peak_megabytes(service: RunningService) -> float:
    (pid,) = service.supervisor.pids("worker-1")
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+) kB", status).group(1)) / 1024


if __name__ == "__main__":
    main()
