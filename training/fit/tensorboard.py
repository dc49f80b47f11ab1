"""Curves of a run for TensorBoard, when somebody wants them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from training.fit.run_types import Look

Report = Callable[[str, Look], None]


class Tracker:
    """Follows the looks of a run; this one forgets them."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def beside(self, report: Report) -> Report:
        """A report that tells the tracker too."""

        def both(title: str, look: Look) -> None:
            report(title, look)
            self.follow(title, look)

        return both

    def follow(self, title: str, look: Look) -> None:
        """Keep what a look shows."""

    def close(self) -> None:
        """Write what is left."""


class TensorBoardTracker(Tracker):
    """Event files with each term's mean over the runs of a stack."""

    def __init__(self, folder: Path) -> None:
        from tensorboardX import SummaryWriter

        folder.mkdir(parents=True, exist_ok=True)
        self._writer = SummaryWriter(str(folder))

    def follow(self, title: str, look: Look) -> None:
        """One scalar a term, validation included; each stack is a curve of its own."""
        for name, values in (*look.terms.items(), ("total", look.totals)):
            self._writer.add_scalar(f"{name}/{title}", float(values.mean()), look.step)
        if look.scores is not None:
            self._writer.add_scalar(f"validation/{title}", float(look.scores.mean()), look.step)

    def close(self) -> None:
        """Flush the event file."""
        self._writer.close()


def track(folder: Path | None) -> Tracker:
    """A tracker that writes to a folder, or forgets."""
    return Tracker() if folder is None else TensorBoardTracker(folder)
