"""Progress bar and summary of the encoding of a cohort."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from training.encoding.encoded_recording import EncodedRecording

T = TypeVar("T")


class RateColumn(ProgressColumn):
    """Recordings per minute, over the last half minute."""

    def render(self, task: Task) -> Text:
        """The rate, empty while it is unknown."""
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed * 60:.0f} a minute", style="progress.data.speed")


def track_recordings(items: Iterable[T], total: int, console: Console) -> Iterator[T]:
    """Iterate over items, one per recording, with a progress bar on the console."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        RateColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as progress:
        yield from progress.track(items, total=total, description="Encoding recordings")


def print_encoded(encoded: Sequence[EncodedRecording], console: Console) -> None:
    """Print the amount of audio, the number of recordings that fail the quality gate, and the quality flags."""
    hours = sum(recording.seconds for recording in encoded) / 3600
    speech = sum(recording.speech_seconds for recording in encoded) / 3600
    segments = sum(recording.quality.segments for recording in encoded)
    console.print(
        f"{len(encoded)} recordings, {hours:.2f} h with {speech:.2f} h of speech in {segments} segments; "
        f"{sum(recording.abstains for recording in encoded)} too poor to score"
    )
    flags = Counter((flag.code, flag.hard) for recording in encoded for flag in recording.flags)
    if flags:
        table = Table("quality flag", "abstains", "recordings", header_style="bold")
        for (code, hard), count in sorted(flags.items()):
            table.add_row(code, "yes" if hard else "no", str(count))
        console.print(table)
