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

from training.material import Look


class Display:
    """A table that follows the newest look; on a console that is no terminal a line for each finished stack."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.title = ""
        self.fitted = 0
        self._began = time.monotonic()
        self._live: Live | None = None

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Show the table while the block runs."""
        with Live(Text(""), console=self.console, refresh_per_second=2, transient=True) as live:
            self._live = live
            yield
        self._live = None

    def begin(self, title: str, runs: int) -> None:
        """Told before each stack: what it is for, and how many runs it holds."""
        self.title, self.fitted = title, self.fitted + runs

    def report(self, title: str, look: Look) -> None:
        """Told at every look."""
        if self._live is not None:
            self._live.update(Group(self._headline(title, look), tabulate(look)))
        if look.done == len(look.totals) or look.step == look.steps:
            self.console.print(self._summary(title, look))

    def _headline(self, title: str, look: Look) -> Text:
        minutes, seconds = divmod(int(time.monotonic() - self._began), 60)
        return Text(f"{title}: step {look.step}/{look.steps}, {len(look.totals)} runs at once, {minutes}:{seconds:02d}")

    def _summary(self, title: str, look: Look) -> str:
        loss = f"loss {look.totals.mean():.3f}"
        validation = "" if look.scores is None else f", validation {np.mean(look.scores):.3f}"
        return f"{title}: {len(look.totals)} runs, {look.step} steps, {loss}{validation} ({self.fitted} runs so far)"


def tabulate(look: Look) -> Table:
    """Each named term: mean, least and most over the runs of the stack."""
    table = Table("term", "mean", "least", "most", header_style="bold")
    for name, values in (*look.terms.items(), ("total", look.totals)):
        table.add_row(name, *(f"{value:.4f}" for value in (values.mean(), values.min(), values.max())))
    if look.scores is not None:
        table.add_row("validation", *(f"{v:.4f}" for v in (look.scores.mean(), look.scores.min(), look.scores.max())))
    return table
