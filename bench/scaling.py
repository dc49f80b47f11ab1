"""What more workers bring, what an hour of audio costs, what the database could carry: docs/capacity.md rests on it.

1. Throughput with 1, 2 and 4 worker processes of one thread each, over PostgreSQL and Redis, in interleaved rounds.
   Bar: on two cores two processes do at least 1.7 times what one does. From the counts that have a core each, a law.
2. Cost: one worker for each queue, so that what a process has used is what its stage has.
3. The database's ceiling: stages of a stand-in for the model that take no time.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

import av
from rich.console import Console
from rich.table import Table

from bench.scaled.accounts import account, family_cpu_seconds
from bench.scaled.projection import Law, fit
from bench.scaled.site import ALL, FAKE_WORKER, Servers, accounts, cores, open_servers
from service.setting_groups import REPOSITORY

EXAMPLE = REPOSITORY / "examples" / "interview.flac"
TRANSCRIPT = REPOSITORY / "examples" / "interview.vtt"
STAGES = ("prepare", "encode", "score")
PROJECTED = (2, 4, 8, 16, 32)
BAR = 1.7
TINY = b"RIFF\x00\x00\x00\x00WAVE" + b"x" * 300
QUIET_SECONDS = 2.0


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4], help="counts of processes")
    parser.add_argument("--recordings", type=int, default=40, help="in each run")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rehearsed", type=int, default=400, help="assessments without a model, for the ceiling")
    options = parser.parse_args()
    console = Console(width=130)
    with tempfile.TemporaryDirectory() as name, open_servers(Path(name)) as servers:
        gains = throughput(console, servers, options)
        console.print(projected(fit({n: gain for n, gain in gains.items() if n <= cores()})))
        console.print(cost(servers, options.recordings))
        console.print(ceiling(servers, options.rehearsed, options.workers))


def throughput(console: Console, servers: Servers, options: argparse.Namespace) -> dict[int, float]:
    """Audio hours an hour for each count of processes; returns the gains over one, of the medians."""
    rates: dict[int, list[float]] = {count: [] for count in options.workers}
    busy: dict[int, list[float]] = {count: [] for count in options.workers}
    for _ in range(options.rounds):
        for count in options.workers:
            rate, share = one_run(servers, count, options.recordings)
            rates[count].append(rate)
            busy[count].append(share)
    middle = {count: statistics.median(samples) for count, samples in rates.items()}
    gains = {count: middle[count] / middle[options.workers[0]] for count in options.workers}
    table = Table(
        "processes", "audio h / h, each round", "median", "gain", "stages in hand",
        title=f"{options.recordings} recordings of {seconds_of_example():.0f} s, one thread a process, {cores()} cores",
        caption=f"bar: 2 processes at least {BAR} times 1",
    )  # fmt: skip
    for count in options.workers:
        each = ", ".join(f"{rate:.1f}" for rate in rates[count])
        share = f"{statistics.median(busy[count]):.0%}"
        table.add_row(str(count), each, f"{middle[count]:.1f}", f"{gains[count]:.2f}", share)
    console.print(table)
    return gains


def one_run(servers: Servers, count: int, recordings: int) -> tuple[float, float]:
    """Audio hours an hour from the first claim to the last end, and the share of that in which a worker had a stage."""
    with servers.run() as run, run.workers([ALL] * count):
        run.submit(recordings, EXAMPLE.read_bytes(), TRANSCRIPT.read_bytes())
        run.finish()
        stages = run.stages()
    took = stages[-1].ended - min(stage.begun for stage in stages)
    in_hand = sum(stage.ended - stage.begun for stage in stages)
    return recordings * seconds_of_example() / took, in_hand / took / count


def projected(law: Law) -> Table:
    """The law's gains beyond what was measured."""
    table = Table("processes, a core each", *map(str, PROJECTED), title="what the law says of more")
    table.add_row("gain", *(f"{law.gain(count):.1f}" for count in PROJECTED))
    table.caption = f"sigma {law.sigma:.4f}, kappa {law.kappa:.5f}, from the counts with a core each"
    return table


def cost(servers: Servers, recordings: int) -> Table:
    """What an hour of audio takes of each part."""
    hours = recordings * seconds_of_example() / 3600
    with servers.run() as run, run.workers(STAGES) as pids:
        time.sleep(QUIET_SECONDS)
        idle = _of_all(pids, servers)
        empty, begun = run.database_bytes(), time.monotonic()
        run.submit(recordings, EXAMPLE.read_bytes(), TRANSCRIPT.read_bytes())
        sent = run.stored_bytes()
        run.finish()
        took = time.monotonic() - begun
        used = {name: seconds - idle[name] for name, seconds in _of_all(pids, servers).items()}
        peaks = {name: account.peak_bytes for name, account in accounts(pids).items()}
        kept, rows = run.stored_bytes(), run.database_bytes() - empty
    table = Table("part", "CPU s / audio h", "peak memory", title=f"cost, over {hours:.1f} h of audio in {took:.0f} s")
    for name in pids:
        table.add_row(name.partition("-")[0], f"{used[name] / hours:.1f}", f"{peaks[name] / 1e6:.0f} MB")
    for name in ("PostgreSQL", "Redis"):
        table.add_row(name, f"{used[name] / hours:.1f}", "")
    table.caption = (
        f"object store: {sent / hours / 1e6:.0f} MB / audio h sent in, {kept / hours / 1e6:.2f} kept; "
        f"database {rows / hours / 1e6:.2f} MB / audio h"
    )
    return table


def _of_all(pids: dict[str, int], servers: Servers) -> dict[str, float]:
    workers = {name: account.cpu_seconds for name, account in accounts(pids).items()}
    return {
        **workers,
        "PostgreSQL": family_cpu_seconds(servers.postgresql_pid),
        "Redis": account(servers.redis_pid).cpu_seconds,
    }


def ceiling(servers: Servers, assessments: int, counts: Iterable[int]) -> Table:
    """Stages a second when a stage costs nothing but its bookkeeping, and what that takes of the database."""
    table = Table(
        "processes", "stages / s", "PostgreSQL ms / stage", "worker ms / stage", "stages / s of one PostgreSQL core",
        title=f"bookkeeping alone: {assessments} assessments of a model that takes no time, 4 stages each",
    )  # fmt: skip
    for count in counts:
        with servers.run() as run, run.workers([ALL] * count, FAKE_WORKER) as pids:
            before, mine = family_cpu_seconds(servers.postgresql_pid), _cpu(pids)
            run.submit(assessments, TINY)
            run.finish()
            mine, theirs = _cpu(pids) - mine, family_cpu_seconds(servers.postgresql_pid) - before
            stages = run.stages()
        took = stages[-1].ended - min(stage.begun for stage in stages)
        each = theirs / len(stages)
        table.add_row(
            str(count),
            f"{len(stages) / took:.0f}",
            f"{1000 * each:.1f}",
            f"{1000 * mine / len(stages):.1f}",
            f"{1 / each:.0f}",
        )
    return table


def _cpu(pids: dict[str, int]) -> float:
    return sum(account.cpu_seconds for account in accounts(pids).values())


def seconds_of_example() -> float:
    """How long the example recording is."""
    with av.open(str(EXAMPLE)) as container:
        return float(container.duration or 0) / av.time_base


if __name__ == "__main__":
    main()
