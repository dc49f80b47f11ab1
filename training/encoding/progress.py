"""How far the encoding of a cohort has come, and what came out of it."""

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
    """Recordings a minute, over the last half minute."""

    def render(self, task: Task) -> Text:
        """The rate, or nothing while there is none."""
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed * 60:.0f} a minute", style="progress.data.speed")


def track_recordings(items: Iterable[T], total: int, console: Console) -> Iterator[T]:
    """The items one after another, one a recording, with a bar on the console while they are worked on."""
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
    """How much was encoded, how many recordings are too poor to score, and the quality flags met."""
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
