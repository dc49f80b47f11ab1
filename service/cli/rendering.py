"""Render a result as tables that are readable at 80 columns, without colour and without a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from service.assessments.result import (
    Contributions,
    GraphTrace,
    InputReport,
    ModelTrace,
    OutcomeProbability,
    Quality,
    Result,
    SegmentEffect,
)

PROBABILITY_BAR = 30
SIGNED_BAR = 20  # even: half of it on each side of zero
SEGMENTS_SHOWN = 5
WORDS_SHOWN = 48
DIGEST_SHOWN = 12
DEMONSTRATION = (
    "This is a demonstration bundle trained on synthetic speech: it shows how the service works, "
    "and its numbers say nothing about any person."
)
UNSTABLE = (
    "These contributions are unstable: a sign changes when a withheld modality is replaced by the "
    "training recordings' average instead. Do not rely on them."
)


def render_result(result: Result, console: Console) -> None:
    """Print the probabilities and contributions of a result, or the reasons why there is no score."""
    marks = Marks(ascii_only=console.options.ascii_only)
    parts = _abstained(result, marks) if result.outcome is None else _scored(result, marks)
    for part in parts:
        console.print(part)
        console.print()


class Marks:
    """Draws bars and cleans words, in block characters or in ASCII where the output takes nothing else."""

    def __init__(self, *, ascii_only: bool) -> None:
        self._ascii_only = ascii_only
        self.full = "#" if ascii_only else "█"
        self.trace = "." if ascii_only else "▏"
        self.zero = "|" if ascii_only else "│"
        self.more = "..." if ascii_only else "…"

    def bar(self, share: float, width: int) -> str:
        """A bar of `share` (0 to 1) of `width` characters; a share too small for one still leaves a trace."""
        return self.full * round(share * width) or (self.trace if share > 0 else "")

    def signed_bar(self, value: float, largest: float) -> Text:
        """A bar to the left or right of a zero line, as long as `value` is beside `largest`."""
        half = SIGNED_BAR // 2
        bar = self.bar(abs(value) / largest if largest > 0 else 0.0, half)
        if value < 0:
            return Text.assemble(" " * (half - len(bar)), (bar, "magenta"), self.zero, " " * half)
        return Text.assemble(" " * half, self.zero, (bar, "cyan"), " " * (half - len(bar)))

    def line(self, words: str) -> str:
        """`words` on one line, as far as the output can show them; nothing in them can steer the terminal."""
        clean = " ".join("".join(c if c.isprintable() else " " for c in words).split())
        return clean.encode("ascii", "replace").decode() if self._ascii_only else clean

    def words(self, spoken: str) -> str:
        """The client's words on one line, shortened at a space."""
        line = self.line(spoken)
        if len(line) <= WORDS_SHOWN:
            return line
        return line[: WORDS_SHOWN - len(self.more)].rsplit(" ", 1)[0] + self.more


def _scored(result: Result, marks: Marks) -> Iterator[RenderableType]:
    yield _section(f"Task {result.task}: calibrated probability of each outcome", _outcomes(result, marks))
    if result.contributions is not None:
        yield _section(
            f"What moved this model's score for {result.contributions.outcome} (log-odds)",
            _contributions(result.contributions, marks),
        )
    if result.segments:
        yield _section("The segments that moved the score most", _segments(result.segments, marks))
    yield from _heard(result, marks)
    yield _section("Quality of the material", *_quality(result.quality, marks))
    yield _section("Model", *_model(result.model))
    yield _notice(result)


def _abstained(result: Result, marks: Marks) -> Iterator[RenderableType]:
    yield Text(f"Task {result.task}: no score. The material cannot carry one.", style="bold")
    yield _section("Why, and what to do", *_flags(result.quality, marks, hard=True))
    yield from _heard(result, marks)
    yield _section("Quality of the material", *_quality(result.quality, marks, hard=False))
    yield _section("Model", *_model(result.model))
    yield _notice(result)


def _heard(result: Result, marks: Marks) -> Iterator[RenderableType]:
    if result.input is not None:
        yield _section("What was heard", *_files(result.input), _speakers(result.input, marks))


def _files(heard: InputReport) -> Iterator[Text]:
    if (audio := heard.audio) is not None:
        used = f"track {audio.track} of {audio.tracks}, " if audio.tracks > 1 else ""
        channels = "mono" if audio.channels == 1 else f"channels {', '.join(map(str, audio.channels_used))}"
        if len(audio.channels_used) == audio.channels > 1:
            channels = f"all {audio.channels} channels"
        form = audio.codec if audio.codec == audio.container else f"{audio.codec} in {audio.container}"
        yield Text(f"audio: {form}, {audio.sample_rate} Hz, {used}{channels}, sha256 {audio.sha256[:DIGEST_SHOWN]}")
    if (transcript := heard.transcript) is not None:
        times = f"times in {transcript.time_unit}" if transcript.time_unit else "no times"
        yield Text(
            f"transcript: {transcript.format}, {times}, {_count(transcript.utterances, 'utterance')}, "
            f"language {transcript.language or 'not sure'}, "
            f"sha256 {transcript.sha256[:DIGEST_SHOWN]}"
        )


def _speakers(heard: InputReport, marks: Marks) -> Table:
    grid = _grid("left", "left", "right", "right")
    for speaker in heard.speakers:
        label = "no label" if speaker.label is None else marks.words(speaker.label)
        seconds = "" if speaker.seconds is None else f"{speaker.seconds:.1f} s"
        words = _count(speaker.words, "word")
        grid.add_row(Text(label), "scored" if speaker.scored else "left out", seconds, words)
    return grid


def _section(title: str, *lines: RenderableType) -> Group:
    return Group(Text(title, style="bold"), *(Padding(line, (0, 0, 0, 2)) for line in lines))


def _grid(*columns: str) -> Table:
    grid = Table.grid(padding=(0, 2, 0, 0))
    for column in columns:
        grid.add_column(justify="right" if column == "right" else "left", overflow="fold")
    return grid


def _outcomes(result: Result, marks: Marks) -> Table:
    grid = _grid("left", "right", "left")
    for outcome in result.probabilities:
        style = "bold" if outcome.outcome == result.outcome else ""
        grid.add_row(Text(outcome.outcome, style), _percent(outcome), _probability_bar(outcome, marks))
    return grid


def _percent(outcome: OutcomeProbability) -> str:
    return f"{outcome.probability:.1%}"


def _probability_bar(outcome: OutcomeProbability, marks: Marks) -> Text:
    return Text(marks.bar(outcome.probability, PROBABILITY_BAR), "cyan")


def _contributions(given: Contributions, marks: Marks) -> Group:
    rows = (
        ("audio", given.audio, _withheld("audio", given.audio)),
        ("text", given.text, _withheld("text", given.text)),
        (
            "interaction",
            given.interaction,
            "what only both together give",
        ),
        ("baseline", given.baseline, "the score with both withheld"),
        ("total", given.total, "the score as reported"),
    )
    largest = max(abs(value) for _, value, _ in rows)
    grid = _grid("left", "right", "left", "words")
    for name, value, meaning in rows:
        grid.add_row(name, f"{value:+.2f}", marks.signed_bar(value, largest), meaning)
    caveat = () if given.stable else (Text(UNSTABLE, "yellow"),)
    return Group(grid, *caveat, Text(_explanation(given), style="dim"))


def _withheld(modality: str, value: float) -> str:
    direction = "lower" if value >= 0 else "higher"
    return f"{abs(value):.2f} {direction} when {modality} is withheld"


def _explanation(given: Contributions) -> str:
    shares = ""
    if given.share_audio is not None and given.share_text is not None:
        shares = f" Shares of the movement: audio {given.share_audio:.0%}, text {given.share_text:.0%}."
    return (
        f"How far this model's score for {given.outcome} moved when the audio or the text was withheld, "
        "averaged over both orders: baseline + audio + text = total, and the interaction is already shared "
        f"between audio and text. It describes this model, not the person.{shares}"
    )


def _segments(effects: Iterable[SegmentEffect], marks: Marks) -> Table:
    grid = _grid("left", "right", "right", "words")
    grid.add_row(*(Text(title, "dim") for title in ("time", "audio", "text", "words")))
    for effect in list(effects)[:SEGMENTS_SHOWN]:
        grid.add_row(
            f"{_clock(effect.start)}-{_clock(effect.end)}",
            f"{effect.audio_effect:+.2f}",
            f"{effect.text_effect:+.2f}",
            Text(marks.words(effect.text) or "(no words)"),
        )
    return grid


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes:02d}:{rest:02d}"


def _quality(quality: Quality, marks: Marks, *, hard: bool | None = None) -> list[Text]:
    facts = [
        f"{_clock(quality.duration_seconds)} long",
        f"{_clock(quality.speech_seconds)} of speech",
        _count(quality.segments, "segment"),
        _count(quality.words, "word"),
    ]
    if quality.snr_db is not None:
        facts.append(f"signal to noise {quality.snr_db:.0f} dB")
    if quality.level_dbfs is not None:
        facts.append(f"active level {quality.level_dbfs:.0f} dBFS")
    if quality.bandwidth_hz is not None:
        facts.append(f"bandwidth {quality.bandwidth_hz / 1000:.1f} kHz")
    if quality.clipping is not None:
        facts.append(f"clipped {quality.clipping:.1%}")
    flags = _flags(quality, marks, hard=hard) or ([Text("nothing to remark")] if hard is None else [])
    return [Text(", ".join(facts)), *flags]


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")


def _flags(quality: Quality, marks: Marks, *, hard: bool | None) -> list[Text]:
    chosen = (flag for flag in quality.flags if hard is None or flag.hard == hard)
    return [
        Text.assemble((f"{flag.code}: ", "bold red" if flag.hard else "yellow"), marks.line(flag.message))
        for flag in sorted(chosen, key=lambda flag: not flag.hard)
    ]


def _model(trace: ModelTrace) -> list[Text]:
    digest = trace.digest.removeprefix("sha256:")[:DIGEST_SHOWN]
    lines = [
        Text(f"bundle {trace.bundle} {trace.version}, sha256 {digest}, {trace.provider}, {trace.precision}"),
        *(
            Text(f"{name} on {graph.device}, {graph.provider}, {graph.precision}")
            for name, graph in _differing_graphs(trace)
        ),
        Text(f"signed by the key {trace.signed_by}" if trace.signed_by else "not signed by a trusted key"),
    ]
    if trace.demonstration:
        lines.append(Text(DEMONSTRATION, "yellow"))
    return lines


def _differing_graphs(trace: ModelTrace) -> list[tuple[str, GraphTrace]]:
    """The graphs, if they ran with different providers or precisions; otherwise the line above names them all."""
    ways = {(graph.provider, graph.precision) for graph in trace.graphs.values()}
    return list(trace.graphs.items()) if len(ways) > 1 else []


def _notice(result: Result) -> Text:
    return Text(result.notice, style="bold")
