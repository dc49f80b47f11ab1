"""What a run shows while it lasts: how far it is, and the named terms of the loss as they fall."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from training.fit.run_types import Look


class Display:
    """A table that follows the newest look; what remains on the console is a line for each group of runs."""

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
            self._conclude()
        self._live = None

    def begin(self, title: str, runs: int, missing: int) -> None:
        """Told before each group of runs: what they are for, how many, and how many are yet to be trained."""
        self._conclude()
        kept = f", {runs - missing} of them kept from before" if runs > missing else ""
        self.console.print(f"{self._clock}  {title}: {runs} runs{kept}")

    def report(self, title: str, look: Look) -> None:
        """Told at every look."""
        loss = f"loss {look.totals.mean():.3f}"
        validation = "" if look.scores is None else f", validation {np.mean(look.scores):.3f}"
        self._summary = f"{loss}{validation} after {look.step} steps"
        if self._live is not None:
            headline = f"{self._clock}  {title}: step {look.step}/{look.steps}, {len(look.totals)} runs in this stack"
            self._live.update(Group(Text(headline), tabulate(look)))

    def _conclude(self) -> None:
        """Leave a line about the last stack of the group that ends."""
        if self._summary:
            self.console.print(f"{self._clock}  the last stack: {self._summary}")
        self._summary = ""

    @property
    def _clock(self) -> str:
        minutes, seconds = divmod(int(time.monotonic() - self._began), 60)
        return f"{minutes:3d}:{seconds:02d}"


def tabulate(look: Look) -> Table:
    """Each named term: mean, least and most over the runs of the stack."""
    table = Table("term", "mean", "least", "most", header_style="bold")
    for name, values in (*look.terms.items(), ("total", look.totals)):
        table.add_row(name, *(f"{value:.4f}" for value in (values.mean(), values.min(), values.max())))
    if look.scores is not None:
        table.add_row("validation", *(f"{v:.4f}" for v in (look.scores.mean(), look.scores.min(), look.scores.max())))
    return table
