"""The console display of a training run: progress and the named terms of the loss."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from training.fit.run_types import EpochReport


class ProgressDisplay:
    """A live table of the newest report; one line per group of fits remains on the console."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self._began = time.monotonic()
        self._live: Live | None = None
        self._summary = ""

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Show the table while the block runs."""
        with Live(Text(""), console=self.console, refresh_per_second=2, transient=True) as live:
            self._live = live
            yield
            self._print_summary()
        self._live = None

    def start_group(self, title: str, fits: int, missing: int) -> None:
        """Print the title of a group of fits, their number, and how many are already on disk."""
        self._print_summary()
        done = f", {fits - missing} of them already trained" if fits > missing else ""
        self.console.print(f"{self._clock}  {title}: {fits} fits{done}")

    def report(self, title: str, report: EpochReport) -> None:
        """Show the newest report of a stack."""
        loss = f"loss {report.totals.mean():.3f}"
        validation = "" if report.scores is None else f", validation {np.mean(report.scores):.3f}"
        self._summary = f"{loss}{validation} after {report.step} steps"
        if self._live is not None:
            headline = f"{self._clock}  {title}: step {report.step}/{report.steps}, {len(report.totals)} folds"
            self._live.update(Group(Text(headline), tabulate(report)))

    def _print_summary(self) -> None:
        """Print the last report of the group that ends."""
        if self._summary:
            self.console.print(f"{self._clock}  last stack: {self._summary}")
        self._summary = ""

    @property
    def _clock(self) -> str:
        minutes, seconds = divmod(int(time.monotonic() - self._began), 60)
        return f"{minutes:3d}:{seconds:02d}"


def tabulate(report: EpochReport) -> Table:
    """Each named term: mean, minimum and maximum over the folds of the stack."""
    table = Table("term", "mean", "min", "max", header_style="bold")
    for name, values in (*report.terms.items(), ("total", report.totals)):
        table.add_row(name, *(f"{value:.4f}" for value in (values.mean(), values.min(), values.max())))
    if report.scores is not None:
        scores = (report.scores.mean(), report.scores.min(), report.scores.max())
        table.add_row("validation", *(f"{value:.4f}" for value in scores))
    return table
