"""Run a command while its processes are paused at random, as a machine that is short of time does to them.

    PYTHONPATH=. .venv/bin/python -m tests.pauses make test

A test that fails then and not otherwise guesses at how long something takes.
"""

from __future__ import annotations

import random
import subprocess
import sys
import time
from contextlib import suppress
from typing import Annotated

import psutil
import typer

BETWEEN_SECONDS = (1.0, 4.0)
SHORTEST_SECONDS = 0.5
ONE_ALONE = 0.6
ENDED = (psutil.STATUS_STOPPED, psutil.STATUS_TRACING_STOP, psutil.STATUS_ZOMBIE)
"""Who is stopped already was stopped by a test, and is that test's to wake."""


def main(
    command: Annotated[list[str], typer.Argument(help="What to run.")],
    longest: Annotated[float, typer.Option(help="Longest pause, in seconds.")] = 2.5,
    seed: Annotated[int, typer.Option(help="Of who is paused, when and for how long.")] = 1,
) -> None:
    """Pause now one process, now all of them; exits as the command does."""
    chance = random.Random(seed)
    running = subprocess.Popen(command)
    pauses = 0
    while running.poll() is None:
        time.sleep(chance.uniform(*BETWEEN_SECONDS))
        processes = _running(psutil.Process(running.pid))
        if chance.random() < ONE_ALONE:
            processes = processes and [chance.choice(processes)]
        pauses += bool(processes)
        _pause(processes, chance.uniform(SHORTEST_SECONDS, longest))
    typer.echo(f"{pauses} pauses of {SHORTEST_SECONDS} to {longest} s, seed {seed}", err=True)
    sys.exit(running.returncode)


def _running(root: psutil.Process) -> list[psutil.Process]:
    found = []
    with suppress(psutil.NoSuchProcess):
        for process in (root, *root.children(recursive=True)):
            with suppress(psutil.NoSuchProcess):
                if process.status() not in ENDED:
                    found.append(process)
    return found


def _pause(processes: list[psutil.Process], seconds: float) -> None:
    """Stop them, and let them go on whatever happens."""
    try:
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                process.suspend()
        time.sleep(seconds)
    finally:
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                process.resume()


if __name__ == "__main__":
    typer.run(main)
