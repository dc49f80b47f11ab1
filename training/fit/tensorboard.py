"""Training curves as TensorBoard event files."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Self

from training.fit.run_types import EpochReport, ReportEpoch


class Tracker:
    """Receives the reports of a run. The base class discards them."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def wrap(self, report_epoch: ReportEpoch) -> ReportEpoch:
        """A callback that passes each report to `report_epoch` and to this tracker."""

        def report_to_both(title: str, report: EpochReport) -> None:
            report_epoch(title, report)
            self.write(title, report)

        return report_to_both

    def write(self, title: str, report: EpochReport) -> None:
        """Record a report."""

    def close(self) -> None:
        """Flush pending events."""


class TensorBoardTracker(Tracker):
    """Writes event files with the mean of each loss term over the folds of a stack."""

    def __init__(self, folder: Path) -> None:
        from tensorboardX import SummaryWriter

        folder.mkdir(parents=True, exist_ok=True)
        self._writer = SummaryWriter(str(folder))

    def write(self, title: str, report: EpochReport) -> None:
        """Write one scalar per term and for the validation score; each stack is a separate curve."""
        for name, values in (*report.terms.items(), ("total", report.totals)):
            self._writer.add_scalar(f"{name}/{title}", float(values.mean()), report.step)
        if report.scores is not None:
            self._writer.add_scalar(f"validation/{title}", float(report.scores.mean()), report.step)

    def close(self) -> None:
        """Flush the event file."""
        self._writer.close()


def open_tracker(folder: Path | None) -> Tracker:
    """A TensorBoard tracker that writes to a folder; a tracker that discards reports when the folder is None."""
    return Tracker() if folder is None else TensorBoardTracker(folder)
